r"""The membrane under synaptic conductances.

.. math::

    c_m \frac{dv}{dt} = -\frac{c_m}{\tau_m}(v - v_{rest}) + i_{syn} + i_{ext}
        + \sum_k g_k (e_k - v)

is :math:`v' = a(t) - b(t)\,v` with

.. math::

    b = \frac{1}{\tau_m} + \frac{1}{c_m} \sum_k g_k, \qquad
    a = \frac{v_{rest}}{\tau_m} + \frac{1}{c_m} \Bigl(i_{syn} + i_{ext} + \sum_k g_k e_k\Bigr)

Synapses obey linear equations of their own, so a and b are known exactly at any time within a
step. The fourth-order Magnus integrator (Iserles & Norsett 1999, Phil. Trans. R. Soc. A 357:983;
Blanes, Casas, Oteo & Ros 2009, Phys. Rep. 470:151, section 5.4) takes them at the two Gauss nodes
:math:`(1/2 \mp \sqrt 3 / 6)\,h` of a step of length h. For the matrices
:math:`M_j = [[-b_j, a_j], [0, 0]]`, which act on (v, 1), it is

.. math::

    \Omega = \frac{h}{2}(M_1 + M_2) - \frac{\sqrt 3}{12} h^2 [M_1, M_2] =
        [[-B, A + C], [0, 0]]

    A = \frac{h}{2}(a_1 + a_2), \qquad B = \frac{h}{2}(b_1 + b_2), \qquad
    C = \frac{\sqrt 3}{12} h^2 (a_2 b_1 - a_1 b_2)

and with :math:`e^\Omega` in closed form

.. math::

    v \leftarrow v + \varphi\,(A - B v) + \varphi\,C\,\min(1, \sqrt 3 / B), \qquad
    \varphi = (1 - e^{-B}) / B

The minimum is not in the source. It is 1 unless the membrane forgets faster than the step can
follow (:math:`B > \sqrt 3`), where C alone would grow without bound. With it the result is a
weighted mean, with weights of at least 0, of v and the potentials :math:`a_j / b_j` towards which
the membrane is drawn at the nodes: no conductance makes v leave the range of the reversal
potentials. The order of convergence is 4. With constant conductances a step is exact.
"""

from __future__ import annotations

from spikesim._jit import kernel
from spikesim.neurons._exp import expm1

__all__ = ["conductance_free"]


@kernel(error_model="numpy")
def conductance_free(v, a_1, b_1, a_2, b_2, dt):
    """Move the membrane by one step, without threshold; all in the precision of the arguments.

    Potentials may be counted from any origin that `v` and `a` share.

    Parameters
    ----------
    v : float
        Membrane potential at the start of the step (mV).
    a_1, a_2 : float
        Drive at the first and second node (mV/ms).
    b_1, b_2 : float
        Rate at which the membrane forgets at the nodes (1/ms), greater than 0.
    dt : float
        Time step (ms).

    Returns
    -------
    float
        Membrane potential at the end of the step (mV).
    """
    real = type(v)
    half = real(0.5) * dt
    a = half * (a_1 + a_2)
    b = half * (b_1 + b_2)
    c = real(0.14433756729740643) * dt * dt * (a_2 * b_1 - a_1 * b_2)  # sqrt(3) / 12
    inverse = real(1.0) / b
    limit = real(1.7320508075688772) * inverse  # sqrt(3)
    limit = limit if limit < real(1.0) else real(1.0)
    return v - expm1(-b) * inverse * ((a - b * v) + c * limit)
