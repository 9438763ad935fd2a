"""Optimisers for one number at a time, written from the papers' equations."""

from __future__ import annotations

import math


def momentum(start, gradients, rate, mu):
    """Polyak 1964 in the form of Sutskever et al. 2013, eqs. 1 and 2."""
    point, velocity, course = start, 0.0, []
    for g in gradients:
        velocity = mu * velocity - rate * g
        point = point + velocity
        course.append(point)
    return course


def nesterov(start, gradient, n, rate, mu):
    """Sutskever et al. 2013, eqs. 3 and 4; returns where the gradient was measured."""
    theta, velocity, course = start, 0.0, []
    for _ in range(n):
        velocity = mu * velocity - rate * gradient(theta + mu * velocity)
        theta = theta + velocity
        course.append(theta + mu * velocity)
    return course


def adam(start, gradients, rates, b1, b2, eps, decay=0.0):
    """Kingma & Ba 2015, algorithm 1; `decay` as in Loshchilov & Hutter 2019, algorithm 2."""
    theta, m, v, course = start, 0.0, 0.0, []
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        m_hat = m / (1 - b1**t)
        v_hat = v / (1 - b2**t)
        theta = theta - rate * (m_hat / (math.sqrt(v_hat) + eps) + decay * theta)
        course.append(theta)
    return course


def rmsprop(start, gradients, rate, rho, eps, decay=0.0):
    """Tieleman & Hinton 2012, lecture 6.5."""
    theta, mean_square, course = start, 0.0, []
    for g in gradients:
        mean_square = rho * mean_square + (1 - rho) * g * g
        theta = theta - rate * (g / (math.sqrt(mean_square) + eps) + decay * theta)
        course.append(theta)
    return course
