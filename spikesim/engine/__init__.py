"""A network of populations simulated: build, then stretch after stretch advance and deliver."""
