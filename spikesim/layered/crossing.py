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
solved by Newton's method, kept within the rise (:func:`root`), as are the crossings of
:mod:`spikesim.layered.events`.
"""

from __future__ import annotations

import math

from spikesim._jit import kernel

__all__ = [
    "DOUBLE",
    "EQUAL",
    "GENERAL",
    "crossing",
    "lambert_w",
    "potential",
    "propagators",
    "root",
    "time_of_maximum",
    "turn",
]

# Which formula a unit is solved by.
GENERAL, EQUAL, DOUBLE = 0, 1, 2

_NEWTON_STEPS = 100


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


@kernel(error_model="numpy")
def propagators(s, tau_m, tau_syn):
    """Return d_m, d_s and g = D(s) of a time s: u(s) is d_m u + g i / c_m and i(s) is d_s i.

    Without cancellation, however close the time constants are.
    """
    rate = abs(tau_m - tau_syn) / (tau_m * tau_syn)
    slow = math.exp(-s / max(tau_m, tau_syn))
    apart = s * rate
    if apart > 0.1:
        fast = math.exp(-s / min(tau_m, tau_syn))
        gain = (slow - fast) / rate
    else:
        # The difference of what is almost equal.
        lost = -math.expm1(-apart)
        fast = slow * (1.0 - lost)
        gain = slow * (lost / rate if rate > 0.0 else s)
    if tau_m >= tau_syn:
        return slow, fast, gain
    return fast, slow, gain


@kernel(error_model="numpy")
def time_of_maximum(u, i, tau_m, tau_syn, c_m):
    r"""Return where u(h) turns, a time that has been seen to exist.

    .. math:: s^* = \frac1q \ln\!\left(1 + \frac{(\tau_m - z)\,q}{1 + z q}\right), \qquad
        z = \frac{c_m u}{i}, \quad q = \frac1{\tau_{syn}} - \frac1{\tau_m}
    """
    q = (tau_m - tau_syn) / (tau_m * tau_syn)
    z = c_m * u / i
    far = (tau_m - z) / (1.0 + z * q)
    y = far * q
    return far if y == 0.0 else math.log1p(y) * (far / y)


@kernel
def potential(h, u, i, tau_m, tau_syn, c_m):
    """Return u(h)."""
    d_m, _, gain = propagators(h, tau_m, tau_syn)
    return d_m * u + gain / c_m * i


@kernel(error_model="numpy")
def turn(u, i, tau_m, tau_syn, c_m):
    """Return the h > 0 at which u(h) turns, infinite if it never does."""
    if i == 0.0:
        return math.inf
    if not 1.0 + c_m * u / i * (tau_m - tau_syn) / (tau_m * tau_syn) > 0.0:
        return math.inf
    h = time_of_maximum(u, i, tau_m, tau_syn, c_m)
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
    return root(u, i, theta, low, high, tau_m, tau_syn, c_m)


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


@kernel(error_model="numpy")
def root(u, i, theta, low, high, tau_m, tau_syn, c_m):
    """Return the crossing within [low, high], along which u(h) rises from below theta.

    Newton's method, with bisection where it leaves the bracket, until rounding ends it.
    """
    h = low
    for _ in range(_NEWTON_STEPS):
        d_m, d_s, gain = propagators(h, tau_m, tau_syn)
        moved = d_m * u + gain / c_m * i
        error = moved - theta
        slope = (tau_m / c_m * d_s * i - moved) / tau_m
        if error < 0.0:
            low = h
        else:
            high = h
        better = h - error / slope if slope > 0.0 else -1.0
        if not low <= better <= high:
            better = 0.5 * (low + high)
        change = abs(better - h)
        h = better
        if change <= 2e-16 * (h + tau_m):
            break
    return h
