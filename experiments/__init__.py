"""Experiments: one file for each question, written with the public interface alone."""
