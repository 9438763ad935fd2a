"""Postsynaptic potentials against their formulas, at and near tau_syn = tau_m too."""

from decimal import Decimal, localcontext

import numpy as np
import pytest

import spikesim as sp
from spikesim.errors import UnitWarning
from tests.test_engine import pulse

TAU_M, C_M, WEIGHT = 10.0, 250.0, 100.0
NEAR = [TAU_M + gap for gap in (0.0, 1e-12, -1e-10, 1e-8, -1e-6, 1e-4, -1e-2, 0.5, -0.5)]


def exponential_psp(t, tau_syn):
    """Current w exp(-t/tau_syn) into a leaky membrane (pA, ms, pF -> mV)."""
    if abs(tau_syn - TAU_M) < 1e-13:
        return WEIGHT / C_M * t * np.exp(-t / TAU_M)
    # exp(-t/tau_m) (exp(g t) - 1) / g with g the difference of the rates, by expm1.
    gap = 1 / TAU_M - 1 / tau_syn
    return WEIGHT / C_M * np.exp(-t / TAU_M) * np.expm1(gap * t) / gap


def alpha_psp(t, tau_syn):
    """Current w (t/tau_syn) exp(1 - t/tau_syn) into a leaky membrane, by Gauss-Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    s = 0.5 * t[:, None] * (nodes + 1)
    current = WEIGHT * s / tau_syn * np.exp(1 - s / tau_syn)
    return (current * np.exp(-(t[:, None] - s) / TAU_M)) @ weights * 0.5 * t / C_M


@pytest.mark.parametrize("dt", [0.1, 1.0])
@pytest.mark.parametrize("tau_syn", [0.5, 2.0, *NEAR, 50.0])
@pytest.mark.parametrize(
    ("model", "formula"), [(sp.Exponential, exponential_psp), (sp.Alpha, alpha_psp)]
)
def test_psp_follows_its_formula(model, formula, tau_syn, dt):
    recording = pulse(model(tau_syn), WEIGHT, 2.0, dt, tau_m=TAU_M, c_m=C_M)
    since = recording.trace_times - 3.0
    expected = np.where(since > 0, formula(np.maximum(since, 0.0), tau_syn), 0.0)
    np.testing.assert_allclose(recording.v[:, 0], expected, rtol=0, atol=1e-10)


def test_delta_psp_decays_with_the_membrane():
    recording = pulse(sp.Delta(), 3.0, 2.0, tau_m=TAU_M)
    since = recording.trace_times - 3.0
    expected = np.where(since > -1e-9, 3.0 * np.exp(-since / TAU_M), 0.0)
    np.testing.assert_allclose(recording.v[:, 0], expected, rtol=0, atol=1e-10)


def test_currents_follow_their_formulas():
    for model, formula in (
        (sp.Exponential(4.0), lambda s: WEIGHT * np.exp(-s / 4.0)),
        (sp.Alpha(4.0), lambda s: WEIGHT * s / 4.0 * np.exp(1 - s / 4.0)),
    ):
        recording = pulse(model, WEIGHT, 2.0)
        since = recording.trace_times - 3.0
        expected = np.where(since > -1e-9, formula(np.maximum(since, 0.0)), 0.0)
        np.testing.assert_allclose(recording.traces["i_syn"][:, 0], expected, rtol=0, atol=1e-10)


def test_alpha_peaks_at_its_weight_after_tau_syn():
    recording = pulse(sp.Alpha(2.0), WEIGHT)
    current = recording.traces["i_syn"][:, 0]
    assert recording.trace_times[np.argmax(current)] == pytest.approx(4.0)
    assert current.max() == pytest.approx(WEIGHT)


def test_every_step_length_gives_one_potential():
    at_common_times = [
        pulse(sp.Alpha(3.0), WEIGHT, 2.0, dt).v[:: round(1.0 / dt), 0]
        if dt == 1.0
        else pulse(sp.Alpha(3.0), WEIGHT, 2.0, dt).v[round(1.0 / dt) - 1 :: round(1.0 / dt), 0]
        for dt in (1.0, 0.5, 0.1, 0.025)
    ]
    for values in at_common_times[1:]:
        np.testing.assert_allclose(values, at_common_times[0], rtol=0, atol=1e-11)


def test_responses_to_several_synapses_add_up():
    target = sp.Population("out", sp.LIF(v_th=np.inf))
    inputs = [
        sp.SpikeInput(target, [2.0, 5.0], [0, 0], 50.0, sp.Exponential(3.0)),
        sp.SpikeInput(target, [3.0], [0], -70.0, sp.Alpha(10.0)),
        sp.SpikeInput(target, [4.0], [0], 2.0, sp.Delta()),
    ]
    rest = -65.0
    alone = [sp.simulate(sp.Network([target], inputs=[i]), 40.0, record="v") for i in inputs]
    together = sp.simulate(sp.Network([target], inputs=inputs), 40.0, record=("v", "i_syn"))
    expected = rest + sum(r["out"].v - rest for r in alone)
    np.testing.assert_allclose(together["out"].v, expected, rtol=0, atol=1e-10)


def exact_gains(tau_m, tau_syn, dt):
    """What v (c_m = 1) gains over a step from i = 1 and from x = 1, in 60 digits."""
    with localcontext() as context:
        context.prec = 60
        a, b, dt = -1 / Decimal(tau_m), -1 / Decimal(tau_syn), Decimal(dt)
        end_a, end_b = (a * dt).exp(), (b * dt).exp()
        first = (end_a - end_b) / (a - b)
        return float(first), float((first - dt * end_b) / (a - b))


@pytest.mark.parametrize("slow", [1.0, 30.0])
@pytest.mark.parametrize("ratio", [1e2, 1e3, 1e5])
@pytest.mark.parametrize("fast_synapse", [True, False])
def test_a_step_far_longer_than_a_time_constant_stays_exact(fast_synapse, ratio, slow):
    dt = 2e4
    taus = (1e4 * slow, dt / ratio)
    tau_m, tau_syn = taus if fast_synapse else taus[::-1]
    expected = exact_gains(tau_m, tau_syn, dt)
    alpha = sp.Alpha(tau_syn).propagators(np.array([tau_m]), np.array([1.0]), dt)
    exponential = sp.Exponential(tau_syn).propagators(np.array([tau_m]), np.array([1.0]), dt)
    np.testing.assert_allclose([alpha.p_vi[0], alpha.p_vx[0]], expected, rtol=1e-12)
    np.testing.assert_allclose(exponential.p_vi[0], expected[0], rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: sp.Exponential(0.005), r"Exponential\.tau_syn is 0\.005 ms; should it be 5\?"),
        (lambda: sp.ConductanceAlpha(0.002), r"ConductanceAlpha\.tau_syn.*should it be 2\?"),
        (lambda: sp.Alpha(0.019), r"Alpha\.tau_syn is 0\.019 ms; should it be 19\?"),
    ],
)
def test_seconds_are_asked_about(make, text):
    with pytest.warns(UnitWarning, match=text):
        make()


def test_a_fast_synapse_is_not_asked_about():
    assert sp.Exponential(0.02).tau_syn == 0.02
    assert sp.ConductanceAlpha(0.05, e_rev=0.05).e_rev == 0.05
