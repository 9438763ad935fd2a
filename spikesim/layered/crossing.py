r"""When a membrane next reaches its threshold, exactly: scalar kernels.

Between two arrivals, u is the potential minus the value that constant currents alone would lead
to, and i the synaptic current, both at the start; h is the time since. With
:math:`k = 1/\tau_{syn} - 1/\tau_m`,

.. math::

    u(h) = u\,e^{-h/\tau_m} + \tfrac{i}{c_m}\,D(h), \qquad
    D(h) = \frac{e^{-h/\tau_m} - e^{-h/\tau_{syn}}}{k}, \qquad
    \dot u(h) = -\frac{u(h)}{\tau_m} + \frac{i}{c_m} e^{-h/\tau_{syn}},

with the limit :math:`D(h) = h\,e^{-h/\tau_m}` for equal time constants. :math:`\dot u` has one
zero at most, so u rises along a single stretch, on which the crossing of :math:`\theta` is unique.
For positive :math:`\theta`, and b = i / c_m, two ratios have a closed form of it (Goeltz et al.
2021, Nat. Mach. Intell. 3:823, equations 5 and 6, there over all spikes at once):

.. math::

    \tau_m = \tau_{syn}:\quad &
    h = -\tau_m\,W_0\!\left(-\frac{\theta}{b\,\tau_m} e^{-u/(b \tau_m)}\right) - \frac ub \\
    \tau_m = 2\,\tau_{syn}:\quad &
    h = \tau_m \ln \frac{2 a}{s + \sqrt{s^2 - 4 a \theta}}, \qquad
    a = b\,\tau_m,\quad s = u + a

The principal branch of Lambert's W and the larger root are the earlier crossing. Any other case is
solved by Newton's method, kept within the rise.
"""

from __future__ import annotations

import math

from spikesim._jit import kernel

__all__ = ["DOUBLE", "EQUAL", "GENERAL", "crossing", "difference", "lambert_w", "potential", "turn"]

# Which formula a unit is solved by.
GENERAL, EQUAL, DOUBLE = 0, 1, 2


@kernel
def lambert_w(z):
    """Return the principal branch of Lambert's W, the w >= -1 with w exp(w) = z; NaN below -1/e.

    Halley's iterations (Corless et al. 1996, Adv. Comput. Math. 5:329, section 5), from the series
    around the branch point or from a logarithm.
    """
    beyond = math.e * z + 1.0
    if not beyond >= 0.0:
        # -1/e itself is no double: what rounding alone puts below it is at it.
        return -1.0 if beyond > -1e-15 else math.nan
    p = math.sqrt(2.0 * beyond)
    if p < 1e-2:
        # So near the branch point Halley's quotient is rounding alone; the next term is p^6 / 50.
        return -1.0 + p * (
            1.0 + p * (-1.0 / 3.0 + p * (11.0 / 72.0 + p * (-43.0 / 540.0 + p * 769.0 / 17280.0)))
        )
    if z < 0.5:
        w = -1.0 + p * (1.0 + p * (-1.0 / 3.0 + p * (11.0 / 72.0)))
    else:
        w = math.log1p(z)
        w -= math.log1p(w) * w / (1.0 + w)
    for _ in range(20):
        e = math.exp(w)
        excess = w * e - z
        step = excess / (e * (w + 1.0) - (w + 2.0) * excess / (2.0 * w + 2.0))
        w -= step
        if abs(step) <= 1e-16 * (1.0 + abs(w)):
            break
    return w


@kernel
def difference(h, tau_m, tau_syn):
    """Return D(h), without cancellation however close the time constants are."""
    k = 1.0 / tau_syn - 1.0 / tau_m
    if k == 0.0:
        return h * math.exp(-h / tau_m)
    return math.exp(-h / max(tau_m, tau_syn)) * -math.expm1(-h * abs(k)) / abs(k)


@kernel
def potential(h, u, i, tau_m, tau_syn, c_m):
    """Return u(h)."""
    return u * math.exp(-h / tau_m) + i / c_m * difference(h, tau_m, tau_syn)


@kernel
def turn(u, i, tau_m, tau_syn, c_m):
    """Return the h > 0 at which u(h) turns, infinite if it never does.

    There exp(-k h) = q = (tau_syn / tau_m) (1 + k u c_m / i).
    """
    if i == 0.0:
        return math.inf
    way = (tau_m - u * c_m / i) * tau_syn / tau_m
    k = 1.0 / tau_syn - 1.0 / tau_m
    if k == 0.0:
        return way if way > 0.0 else math.inf
    # 1 - q is k times the way.
    if not k * way < 1.0:
        return math.inf
    h = -math.log1p(-k * way) / k
    return h if h > 0.0 else math.inf


@kernel
def crossing(u, i, theta, length, formula, tau_m, tau_syn, c_m):
    """Return the first h in [0, length] with u(h) >= theta, infinite without one.

    Parameters
    ----------
    u, i : float
        State at h = 0 (mV, pA), u relative to the potential that constant currents lead to.
    theta : float
        Threshold on the same scale (mV).
    length : float
        How long nothing arrives (ms), finite.
    formula : int
        `EQUAL` or `DOUBLE` for the closed form of that ratio, `GENERAL` for any.
    tau_m, tau_syn, c_m : float
        Of the unit and its synapse.
    """
    if u >= theta:
        return 0.0
    rises = i / c_m > u / tau_m
    if theta > 0.0:
        if not (rises and i > 0.0):
            return math.inf
        if formula != GENERAL:
            h = _closed(u, i, theta, formula, tau_m, c_m)
            return h if h <= length else math.inf
    bend = turn(u, i, tau_m, tau_syn, c_m)
    low = 0.0 if rises else bend
    high = min(bend, length) if rises else length
    if not low < high or potential(high, u, i, tau_m, tau_syn, c_m) < theta:
        return math.inf
    return _root(u, i, theta, low, high, tau_m, tau_syn, c_m)


@kernel
def _closed(u, i, theta, formula, tau_m, c_m):
    """Return the crossing of a rising potential by its closed form, infinite without one."""
    b = i / c_m
    if formula == EQUAL:
        w = lambert_w(-theta / (b * tau_m) * math.exp(-u / (b * tau_m)))
        h = -tau_m * w - u / b
    else:
        a = b * tau_m
        s = u + a
        square = s * s - 4.0 * a * theta
        if not (square >= 0.0 and s > 0.0):
            return math.inf
        h = tau_m * math.log(2.0 * a / (s + math.sqrt(square)))
    if math.isnan(h):
        return math.inf
    return max(h, 0.0)


@kernel
def _root(u, i, theta, low, high, tau_m, tau_syn, c_m):
    """Return the crossing within [low, high], along which u(h) rises from below theta."""
    h = 0.5 * (low + high)
    for _ in range(200):
        v = potential(h, u, i, tau_m, tau_syn, c_m)
        if v < theta:
            low = h
        else:
            high = h
        slope = -v / tau_m + i / c_m * math.exp(-h / tau_syn)
        new = h - (v - theta) / slope if slope > 0.0 else low
        if abs(new - h) <= 2e-16 * h:
            break
        if not low < new < high:
            new = 0.5 * (low + high)
            if not low < new < high:
                break
        h = new
    return h
