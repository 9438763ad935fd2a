"""Reverse-mode differentiation of array programs, for gradients that owe nothing to the package.

A :class:`Node` remembers what it was made from; :func:`gradients` goes back through all of it.
"""

from __future__ import annotations

import numpy as np


class Node:
    """An array, and how a gradient by it becomes gradients by what it was made from."""

    def __init__(self, value, parents=()):
        self.value = np.asarray(value, dtype=np.float64)
        self.parents = parents

    def __add__(self, other):
        other = node(other)
        return Node(
            self.value + other.value,
            ((self, lambda g: _fold(g, self)), (other, lambda g: _fold(g, other))),
        )

    def __mul__(self, other):
        other = node(other)
        return Node(
            self.value * other.value,
            (
                (self, lambda g: _fold(g * other.value, self)),
                (other, lambda g: _fold(g * self.value, other)),
            ),
        )

    def __matmul__(self, other):
        return Node(
            self.value @ other.value,
            ((self, lambda g: g @ other.value.T), (other, lambda g: self.value.T @ g)),
        )

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + -node(other)

    def through(self, function, derivative):
        """Return ``function`` of the value, differentiated as `derivative` says."""
        slope = derivative(self.value)
        return Node(function(self.value), ((self, lambda g: g * slope),))

    def total(self):
        """Return the sum of all numbers."""
        return Node(self.value.sum(), ((self, lambda g: np.broadcast_to(g, self.value.shape)),))


def node(value):
    return value if isinstance(value, Node) else Node(value)


def where(condition, yes, no):
    """Return one of two nodes for each number; the condition is a constant array."""
    chosen = np.asarray(condition, dtype=np.float64)
    return node(yes) * chosen + node(no) * (1.0 - chosen)


def gradients(result, wanted):
    """Return the derivative of a single number by each of the nodes that are wanted."""
    order, seen = [], set()

    def visit(start):
        stack = [(start, iter(start.parents))]
        seen.add(id(start))
        while stack:
            current, parents = stack[-1]
            for parent, _ in parents:
                if id(parent) not in seen:
                    seen.add(id(parent))
                    stack.append((parent, iter(parent.parents)))
                    break
            else:
                order.append(current)
                stack.pop()

    visit(result)
    found = {id(result): np.ones(result.value.shape)}
    for current in reversed(order):
        g = found.get(id(current))
        if g is None:
            continue
        for parent, pull in current.parents:
            found[id(parent)] = found.get(id(parent), 0.0) + pull(g)
    return [np.asarray(found.get(id(w), np.zeros(w.value.shape))) for w in wanted]


def _fold(g, like):
    """Sum a gradient over the axes along which an operand was repeated."""
    while g.ndim > like.value.ndim:
        g = g.sum(axis=0)
    for axis, length in enumerate(like.value.shape):
        if length == 1 and g.shape[axis] != 1:
            g = g.sum(axis=axis, keepdims=True)
    return g
