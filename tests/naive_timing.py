"""Slow twins of the rules of spike timing, written from the equations: sums over pairs."""

import math

import numpy as np


def times_of(train):
    """Indices of the spikes of one train, each as often as it has spikes there."""
    return [t for t, count in enumerate(train) for _ in range(round(count))]


def pairs(pre, post, pairing):
    """Pairs (index of pre, index of post) that count, of two trains; never those of one step."""
    before, after = times_of(pre), times_of(post)
    if pairing == "all":
        return [(s, t) for s in before for t in after if s != t]
    found = []
    for t in after:
        earlier = [s for s in before if s < t]
        if earlier:
            found += [(s, t) for s in earlier if s == max(earlier)]
    for s in before:
        earlier = [t for t in after if t < s]
        if earlier:
            found.append((s, max(earlier)))
    return found


def window(rule, interval):
    """Change by a pair `interval` ms apart, without the dependence on the weight."""
    if interval > 0:
        return rule.a_plus * math.exp(-interval / rule.tau_plus)
    return -rule.a_minus * math.exp(interval / rule.tau_minus)


def stdp_sum(rule, pre, post, dt, fade=None):
    """Sum over all pairs, (n_pre, n_post); `fade(t)` is the share of a change at index t."""
    total = np.zeros((pre.shape[1], post.shape[1]))
    for i in range(pre.shape[1]):
        for j in range(post.shape[1]):
            for s, t in pairs(pre[:, i], post[:, j], rule.pairing):
                share = fade(max(s, t)) if fade else 1.0
                total[i, j] += share * window(rule, (t - s) * dt)
    return total


def stdp_weight(rule, w, pre, post, dt):
    """A weight after the pairs of two trains, one after another, within its bounds.

    Pairs that end in one step: those that weaken first, each kind as one change.
    """
    events = {}
    for s, t in pairs(pre, post, rule.pairing):
        key = (max(s, t), t > s)
        events[key] = events.get(key, 0.0) + window(rule, (t - s) * dt)
    for _, change in sorted(events.items()):
        room = 1.0
        if rule.bounds == "soft":
            room = rule.w_max - w if change > 0 else w - rule.w_min
        w = min(max(w + change * room, rule.w_min), rule.w_max)
    return w


def eligibility(rule, pre, post, dt):
    """What is left of each pair at the last step of the trial."""
    last = len(pre) - 1
    return stdp_sum(rule, pre, post, dt, lambda t: math.exp(-(last - t) * dt / rule.tau_c))


def resume_change(rule, inputs, output, desired_times, dt):
    """Weight change of a trial, (n_pre, n_units); `desired_times[unit]` in ms."""
    change = np.zeros((inputs.shape[1], output.shape[1]))

    def felt(i, t):
        sizes = [math.exp(-(t - s) * dt / rule.tau_trace) for s in times_of(inputs[:, i]) if s < t]
        return rule.learning_rate * (rule.non_hebbian + sum(sizes))

    for j, times in enumerate(desired_times):
        for i in range(len(change)):
            for time in times:
                change[i, j] += felt(i, round(time / dt) - 1)
            for t in times_of(output[:, j]):
                change[i, j] -= felt(i, t)
    return change


def van_rossum(one, other, tau):
    """Squared distance of two lists of times: the integral, done by pairs."""

    def product(a, b):
        return sum(math.exp(-abs(s - t) / tau) for s in a for t in b)

    return 0.5 * (product(one, one) + product(other, other) - 2.0 * product(one, other))
