"""A short tour of simulations: a neuron, its synapses, its f-I curve, and a small network.

Run ``python experiments/tour.py``; four pictures are written.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import spikesim as sp


@dataclass(frozen=True)
class Config:
    """What is simulated.

    Parameters
    ----------
    n_currents : int
        Points of the f-I curve.
    duration : float
        Length of the runs behind each point and of the network (ms).
    n_neurons : int
        Neurons of the network, four fifths of them excitatory.
    seed : int
        Source of all randomness.
    """

    n_currents: int = 25
    duration: float = 1000.0
    n_neurons: int = 500
    seed: int = 1

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(n_currents=3, duration=30.0, n_neurons=10)


def run(config: Config) -> dict[str, Any]:
    """Simulate the four stops of the tour.

    Returns
    -------
    dict
        ``step``, ``fi``, ``psp`` and ``network``, each what the picture of that name shows.
    """
    return {
        "step": _step(),
        "fi": _fi_curve(config),
        "psp": _potentials(),
        "network": _network(config),
    }


def _step() -> sp.Recording:
    """Return a neuron that a current pushes over its threshold for 100 ms."""
    neuron = sp.Population("neuron", sp.LIF(), 1)
    network = sp.Network([neuron], inputs=[sp.StepCurrent(neuron, 450.0, 20.0, 120.0)])
    return sp.simulate(network, 150.0, record="v")


def _fi_curve(config: Config) -> dict[str, np.ndarray]:
    """Return firing rates for constant currents, simulated and from theory."""
    currents = np.linspace(300.0, 1200.0, config.n_currents)
    model = sp.LIF(i_ext=currents)
    recording = sp.simulate(sp.Population("neuron", model, config.n_currents), config.duration)
    rates = np.zeros(config.n_currents)
    for neuron in range(config.n_currents):
        intervals = recording["neuron"].isi(neuron)
        rates[neuron] = 1000.0 / intervals.mean() if len(intervals) else 0.0
    return {"currents": currents, "rates": rates, "theory": _theory(currents)}


def _theory(currents: np.ndarray) -> np.ndarray:
    """Return the rates (Hz) of a default neuron under constant currents (pA)."""
    model = sp.LIF()
    drive, gap = model.r_m * currents, model.v_th - model.v_rest
    fires = drive > gap
    rates = np.zeros_like(currents)
    interval = model.t_ref + model.tau_m * np.log(drive[fires] / (drive[fires] - gap))
    rates[fires] = 1000.0 / interval
    return rates


def _potentials() -> dict[str, sp.Recording]:
    """Return the response to a spike at 10 ms through each kind of synapse."""
    found = {}
    kinds = {
        "delta": (sp.Delta(), 1.0),
        "exponential": (sp.Exponential(5.0), 100.0),
        "alpha": (sp.Alpha(5.0), 50.0),
    }
    for name, (synapse, weight) in kinds.items():
        neuron = sp.Population("neuron", sp.LIF(), 1)
        spike = sp.SpikeInput(neuron, [10.0], [0], weight, synapse)
        found[name] = sp.simulate(sp.Network([neuron], inputs=[spike]), 80.0, record="v")
    return found


def _network(config: Config) -> sp.Recording:
    """Return a network whose inhibition keeps it firing sparsely and irregularly."""
    n_inh = config.n_neurons // 5
    exc = sp.Population("excitatory", sp.LIF(tau_m=20.0), config.n_neurons - n_inh)
    inh = sp.Population("inhibitory", sp.LIF(tau_m=20.0), n_inh)
    synapse = sp.Exponential(2.0)
    projections = [
        sp.Projection(
            source, target, sp.FixedProbability(0.1), weight=weight, delay=1.5, synapse=synapse
        )
        for source, weight in ((exc, 40.0), (inh, -600.0))
        for target in (exc, inh)
    ]
    inputs = [
        sp.PoissonInput(target, rate=1500.0, weight=90.0, synapse=synapse) for target in (exc, inh)
    ]
    return sp.simulate(
        sp.Network([exc, inh], projections, inputs), config.duration, seed=config.seed,
        record={"excitatory": sp.Record("v", neurons=[0, 1])},
    )  # fmt: skip


def draw(found: dict[str, Any], out: Path) -> list[Path]:
    """Write the pictures; return their paths."""
    import matplotlib.pyplot as plt

    out.mkdir(parents=True, exist_ok=True)
    paths = []

    def save(figure: Any, name: str) -> None:
        paths.append(out / f"{name}.png")
        figure.savefig(paths[-1], dpi=150)
        plt.close(figure)

    ax = sp.plotting.membrane(found["step"])
    ax.set_title("A current of 450 pA from 20 to 120 ms", loc="right", fontsize="medium")
    save(ax.figure, "membrane")

    fi = found["fi"]
    save(sp.plotting.fi_curve(fi["currents"], fi["rates"], theory=_theory).figure, "fi_curve")

    figure, ax = plt.subplots(figsize=(5.4, 3.4), layout="constrained")
    styles = {"delta": "-", "exponential": "--", "alpha": "-."}
    for index, (name, recording) in enumerate(found["psp"].items()):
        neuron = recording["neuron"]
        ax.plot(
            neuron.trace_times, neuron.v[:, 0], label=name, linestyle=styles[name],
            color=sp.plotting.COLOURS[index],
        )  # fmt: skip
    ax.set_xlabel("time (ms)")
    ax.set_ylabel("membrane potential (mV)")
    ax.set_title("A spike at 10 ms through three synapses", loc="left", fontsize="medium")
    ax.legend(frameon=False)
    save(figure, "synapses")

    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(7.2, 6.4), layout="constrained", height_ratios=[2.2, 1]
    )
    sp.plotting.raster(found["network"], ax=top)
    sp.plotting.membrane(found["network"], "excitatory", ax=bottom)
    save(figure, "network")
    return paths


def main(argv: list[str] | None = None) -> None:
    """Run the tour and say where the pictures lie."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results/tour"), help="folder to write to")
    parser.add_argument("--smoke", action="store_true", help="only try that it runs")
    args = parser.parse_args(argv)
    found = run(Config.smoke() if args.smoke else Config())
    fi, network = found["fi"], found["network"]
    print("f-I curve of a LIF neuron")
    print("current (pA)  rate (Hz)  theory (Hz)")
    for current, rate, theory in zip(fi["currents"], fi["rates"], fi["theory"], strict=True):
        print(f"{current:12.0f}  {rate:9.1f}  {theory:11.1f}")
    print("\nnetwork       rate (Hz)  CV of intervals")
    for name in network.populations:
        cv = network[name].cv()
        cv = cv[np.isfinite(cv)]
        shown = f"{cv.mean():15.2f}" if len(cv) else " " * 14 + "–"
        print(f"{name:12s}  {network.rate(name):9.1f}  {shown}")
    for path in draw(found, args.out):
        print(path)


if __name__ == "__main__":
    main()
