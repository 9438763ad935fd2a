"""Whether a random network shows the four states of Brunel 2000, and fires as its theory says.

Run ``python experiments/brunel.py``. Excitatory and inhibitory neurons receive the same numbers of
synapses and the same Poisson input; the strength of inhibition g and the external rate decide
whether they fire together or apart, regularly or not. Beside the measured values stand those of
the theory, which takes the input of a neuron for white noise, and those that the paper reports.
A neuron alone, on independent Poisson spikes at the rates of the theory, tells what the theory
misses from what neurons that fire together do.

With ``--scale`` below 1 it is another network, coupled more weakly, of which the theory tells the
rates; the states and the numbers of the paper are those of the whole one.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import spikesim as sp

sys.path.insert(0, str(Path(__file__).parents[1]))
from experiments import command
from experiments.benchmarks.parameters import Brunel, scaled
from experiments.benchmarks.workloads import brunel


@dataclass(frozen=True)
class State:
    """What the paper says of a state, and how much of it is drawn.

    Parameters
    ----------
    letter : str
        Its panel of figure 8.
    description : str
        The caption of that figure, in short.
    rate, frequency : float
        Simulated rate of the neurons and frequency of the global activity (Hz), table 1 of the
        paper; NaN where there is none.
    shown, bin_width : float
        How much time the figure shows, and in which bins (ms).
    """

    letter: str
    description: str
    rate: float
    frequency: float
    shown: float
    bin_width: float


STATES = {
    "synchronous regular": State(
        "A", "almost fully synchronised, regular, fast", np.nan, np.nan, 40.0, 0.2
    ),
    "fast oscillation": State(
        "B", "fast global oscillation, irregular neurons", 60.7, 180.0, 100.0, 0.5
    ),
    "asynchronous irregular": State(
        "C", "stationary global activity, irregular neurons", 37.7, np.nan, 200.0, 0.5
    ),
    "slow oscillation": State(
        "D", "slow global oscillation, irregular, very low rates", 5.5, 22.0, 400.0, 1.0
    ),
}


# Neurons whose spikes the figure shows.
_SHOWN = 50


@dataclass(frozen=True)
class Config:
    """What is simulated.

    Parameters
    ----------
    scale : float
        Factor on the numbers of neurons and of synapses of a neuron; 1 for 12,500 neurons.
        Weights stay, so a smaller network is coupled more weakly; the theory knows.
    duration, discard : float
        Time that is measured, and time before it (ms).
    n_alone : int
        Neurons that fire alone, each on Poisson spikes of its own.
    seed : int
        Source of all randomness.
    """

    scale: float = 1.0
    duration: float = 2000.0
    discard: float = 200.0
    n_alone: int = 400
    seed: int = 1

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(scale=0.004, duration=40.0, discard=5.0, n_alone=5)


@dataclass(frozen=True)
class Theory:
    """What white noise instead of spikes predicts for a neuron.

    Parameters
    ----------
    rate : float
        Firing rate (Hz).
    cv : float
        Coefficient of variation of its intervals.
    """

    rate: float
    cv: float


def theory(g: float, ratio: float, scale: float = 1.0) -> Theory:
    r"""Return the rate at which all neurons fire when all fire at this rate, and its CV.

    .. math::

        \frac{1}{\nu} = t_\mathrm{ref} + \tau \sqrt\pi \int_{y_r}^{y_\theta} e^{u^2}
                        (1 + \operatorname{erf} u)\, du, \qquad
        \mathrm{CV}^2 = 2 \pi \nu^2 \tau^2 \int_{y_r}^{y_\theta} e^{x^2} dx
                        \int_{-\infty}^x e^{y^2} (1 + \operatorname{erf} y)^2\, dy

    with :math:`y = (V - \mu) / \sigma` at reset and threshold, where mean and noise of the input

    .. math::

        \mu = J \tau (C_E \nu - g C_I \nu + \nu_\mathrm{ext}), \qquad
        \sigma^2 = J^2 \tau (C_E \nu + g^2 C_I \nu + \nu_\mathrm{ext})

    depend on the rate. Of several solutions it is the lowest at which a higher rate would
    make the neurons fire less than that.

    Parameters
    ----------
    g : float
        Strength of an inhibitory synapse in units of an excitatory one.
    ratio : float
        External rate in units of what takes the mean potential to threshold.
    scale : float, default 1
        Factor on the number of synapses of a neuron.

    References
    ----------
    Brunel 2000, J. Comput. Neurosci. 8, 183-208, equations 21 and 22 and appendix A; Siegert
    1951, Phys. Rev. 81, 617-623.
    """
    from scipy.integrate import dblquad, quad
    from scipy.optimize import brentq
    from scipy.special import erfcx

    p = Brunel
    tau, t_ref = 1e-3 * p.tau_m, 1e-3 * p.t_ref
    in_degree = scaled(p.in_degree, scale)

    def limits(rate: float) -> tuple[float, float]:
        exc = in_degree["exc"] * rate + p.external_rate(ratio)
        inh = in_degree["inh"] * rate
        mean = p.v_rest + p.weight * tau * (exc - g * inh)
        sd = p.weight * np.sqrt(tau * (exc + g**2 * inh))
        return (p.v_reset - mean) / sd, (p.v_th - mean) / sd

    def response(rate: float) -> float:
        # erfcx(-u) = exp(u**2) * (1 + erf(u)) neither overflows nor cancels for u << 0.
        return 1.0 / (t_ref + tau * np.sqrt(np.pi) * quad(lambda u: erfcx(-u), *limits(rate))[0])

    grid = np.geomspace(0.01, 0.999 / t_ref, 200)
    gap = np.array([response(rate) for rate in grid]) - grid
    first = np.flatnonzero((gap[:-1] > 0.0) & (gap[1:] <= 0.0))[0]
    rate = brentq(lambda rate: response(rate) - rate, grid[first], grid[first + 1])
    # With y = x - s both exponentials meet: exp(x**2 - y**2) = exp(2 x s - s**2).
    area = dblquad(
        lambda s, x: np.exp(2.0 * x * s - s**2) * erfcx(s - x) ** 2, *limits(rate), 0.0, np.inf
    )[0]
    return Theory(rate, float(np.sqrt(2.0 * np.pi * area) * rate * tau))


def alone(rate: float, g: float, ratio: float, config: Config) -> sp.Recording:
    """Simulate neurons on independent Poisson spikes instead of those of a network.

    Parameters
    ----------
    rate : float
        Rate of the neurons of the network (Hz).
    g, ratio : float
        As in :func:`theory`.
    config : Config
        How many neurons, for how long.
    """
    p = Brunel
    in_degree = scaled(p.in_degree, config.scale)
    model = sp.LIF(
        tau_m=p.tau_m, v_rest=p.v_rest, v_th=p.v_th, v_reset=p.v_reset, t_ref=p.t_ref
    )  # fmt: skip
    neurons = sp.Population("alone", model, config.n_alone)
    exc, inh = in_degree["exc"] * rate + p.external_rate(ratio), in_degree["inh"] * rate
    inputs = [
        sp.PoissonInput(neurons, exc, p.weight),
        sp.PoissonInput(neurons, inh, -g * p.weight),
    ]
    return sp.simulate(
        sp.Network([neurons], inputs=inputs), config.discard + config.duration, seed=config.seed
    )


def run(config: Config) -> dict[str, Any]:
    """Simulate the four states.

    Returns
    -------
    dict
        For each state a dictionary of ``recording``, ``theory``, ``alone`` (rate and CV of
        neurons alone), and measures of the network: ``rate`` (Hz, all neurons), ``cv``,
        ``correlation`` of pairs in bins of 2 ms, ``synchrony`` (variance over
        mean of the number of spikes in bins of 1 ms), ``frequency`` (Hz) of the highest peak of
        the power spectrum, NaN without spikes.
    """
    found = {}
    for state in STATES:
        recording = sp.simulate(
            brunel(state, config.scale), config.discard + config.duration, seed=config.seed
        )
        exc, after = recording["exc"], {"start": config.discard}
        expected = theory(*Brunel.states[state], config.scale)
        single = alone(expected.rate, *Brunel.states[state], config)["alone"]
        frequencies, power = exc.power_spectrum(
            0.5, segment=min(500.0, config.duration / 2.0), **after
        )
        sizes = np.array([recording[name].n for name in recording.populations])
        rates = [recording.rate(name, config.discard) for name in recording.populations]
        found[state] = {
            "recording": recording,
            "theory": expected,
            "alone": (float(single.rates(**after).mean()), _mean(single.cv(**after))),
            "rate": float(sizes @ rates / sizes.sum()),
            "cv": _mean(exc.cv(**after)),
            "correlation": _mean(exc.correlations(**after)),
            "synchrony": exc.synchrony(1.0, **after),
            "frequency": float(frequencies[1 + np.argmax(power[1:])]) if power.any() else np.nan,
        }
    return found


def _mean(values: np.ndarray) -> float:
    """Return the mean of what is defined, NaN if nothing is."""
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else float("nan")


def table(found: dict[str, Any]) -> str:
    """Return the measured values beside those of the theory and of the paper."""
    lines = [
        f"{'':32s} | {'rate (Hz)':^32s} | {'CV of intervals':^24s} | {'peak (Hz)':^14s} |",
        f"{'state':22s}    g  ratio | network   paper  theory   alone | network  theory   alone | "
        "network  paper | synchrony  correlation",
    ]
    for state, values in found.items():
        (g, ratio), paper, expected = Brunel.states[state], STATES[state], values["theory"]
        rate, cv = values["alone"]
        lines.append(
            f"{state:22s}  {g:3.1f}  {ratio:5.1f} | {values['rate']:7.1f}  "
            f"{_shown(paper.rate, '6.1f')}  {expected.rate:6.1f}  {rate:6.1f} | "
            f"{_shown(values['cv'], '7.2f')}  {expected.cv:6.2f}  {_shown(cv, '6.2f')} | "
            f"{_shown(values['frequency'], '7.0f')}  {_shown(paper.frequency, '5.0f')} | "
            f"{_shown(values['synchrony'], '9.1f')}  {_shown(values['correlation'], '11.3f')}"
        )
    return "\n".join(lines)


def smaller(config: Config) -> str:
    """Return what a reader of a smaller network must know; empty at full scale."""
    if config.scale == 1.0:
        return ""
    return (
        f"Not the network of the paper, but {100.0 * config.scale:g} % of its neurons and of the "
        "inputs of each:\nthe states and values of the paper are not expected; the theory is that "
        "of this size"
    )


def _shown(value: float, form: str) -> str:
    """Return a number, a dash where there is none."""
    return format(value, form) if np.isfinite(value) else format("-", f">{form.split('.')[0]}")


def draw(found: dict[str, Any], config: Config, out: Path) -> Path:
    """Write the picture: spikes of 50 neurons and the rate of all, for each state."""
    import matplotlib.pyplot as plt

    out.mkdir(parents=True, exist_ok=True)
    figure = plt.figure(figsize=(11.0, 8.2), layout="constrained")
    if smaller(config):
        figure.suptitle(smaller(config), color=sp.plotting.COLOURS[1], fontsize="medium")
    outer = figure.add_gridspec(2, 2, wspace=0.05, hspace=0.06)
    for place, (state, values) in zip(outer, found.items(), strict=True):
        paper, (g, ratio) = STATES[state], Brunel.states[state]
        inner = place.subgridspec(2, 1, height_ratios=[1.5, 1], hspace=0.02)
        top, bottom = figure.add_subplot(inner[0]), figure.add_subplot(inner[1])
        recording = values["recording"]
        stop = recording.duration
        window = {"start": max(stop - paper.shown, 0.0), "stop": stop}
        sp.plotting.raster(
            recording, "exc", top, histogram=False, max_neurons=_SHOWN, color="black", **window
        )
        sp.plotting.population_rates(
            recording, "exc", bottom, bin_width=paper.bin_width, color=sp.plotting.COLOURS[0],
            label="network", **window,
        )  # fmt: skip
        bottom.axhline(
            values["theory"].rate,
            color=sp.plotting.COLOURS[1],
            linestyle="--",
            label="theory",
        )
        bottom.legend(frameon=False, fontsize="small", loc="upper right", ncols=2)
        bottom.set_ylim(top=max(1.25 * bottom.get_ylim()[1], 1.5 * values["theory"].rate))
        top.set(xlabel="", yticks=[], ylabel=f"{min(_SHOWN, recording['exc'].n)} neurons")
        top.tick_params(labelbottom=False)
        measured = "no neuron fires"
        if values["rate"] > 0.0:
            cv = _shown(values["cv"], ".2f")
            measured = f"neurons fire at {values['rate']:.1f} Hz, CV {cv}"
        rhythmic = np.isfinite(paper.frequency) or state == "synchronous regular"
        if rhythmic and np.isfinite(values["frequency"]):
            measured += f"; rhythm of {values['frequency']:.0f} Hz"
        top.set_title(
            f"{paper.letter}  {state}: inhibition g = {g:g}, input {ratio:g} x threshold\n"
            f"{measured}",
            loc="left", fontsize="medium",
        )  # fmt: skip
    path = out / "brunel.png"
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def main(argv: list[str] | None = None) -> None:
    """Run the experiment and print its table."""
    parser = command.parser(__doc__, "brunel")
    parser.add_argument("--scale", type=float, help="factor on neurons and synapses of a neuron")
    parser.add_argument("--duration", type=float, help="time that is measured (ms)")
    parser.add_argument("--seed", type=int, help="source of all randomness")
    args = parser.parse_args(argv)
    config = command.config_of(Config, args)
    found = run(config)
    if smaller(config):
        print(f"{smaller(config)}\n")
    print(table(found))
    print("\npaper: table 1 of Brunel 2000; theory: stationary activity, white noise as input")
    print("alone: a neuron on independent Poisson spikes at the rates of the theory")
    print("peak: of the power spectrum of all; correlation: of pairs, bins of 2 ms")
    print("synchrony: variance over mean of all spikes in 1 ms, 1 for independent neurons")
    print(draw(found, config, args.out))


if __name__ == "__main__":
    main()
