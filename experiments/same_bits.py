"""Whether threads, stretches of the run and pauses change a bit of the result.

Run ``python experiments/same_bits.py``. Each network, with noise, is simulated with several numbers
of threads, in pieces with a different number for each, from states that were written to files, and
stopped and continued wherever the clock happens to be. Spikes and final state of each way are
hashed (SHA-256). All hashes of a network must be equal, and that of another seed must not;
otherwise the exit status is 1.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import spikesim as sp

sys.path.insert(0, str(Path(__file__).parents[1]))
from experiments import command
from experiments.benchmarks import measure
from experiments.benchmarks.parameters import DT
from experiments.benchmarks.workloads import brunel, microcircuit, vogels_abbott

NETWORKS: dict[str, tuple[Callable[[float], sp.Network], str]] = {
    "Brunel, double": (lambda scale: brunel(scale=4.0 * scale), "double"),
    "Vogels-Abbott, conductances": (
        lambda scale: _with_noise(vogels_abbott("conductance", 10.0 * scale, start_seed=2)),
        "double",
    ),
    "microcircuit, double": (microcircuit, "double"),
    "microcircuit, compact": (microcircuit, "compact"),
}


def _with_noise(network: sp.Network) -> sp.Network:
    """Return a network with a noise current (pA) into every neuron besides what it has."""
    noise = [sp.NoiseCurrent(population, 0.0, 50.0) for population in network.populations]
    return sp.Network(network.populations, network.projections, [*network.inputs, *noise])


@dataclass(frozen=True)
class Config:
    """What is simulated, and in which ways.

    Parameters
    ----------
    scale : float
        Size of the microcircuit; those of the others go with it.
    duration : float
        How long each run lasts (ms).
    threads : tuple of int
        Numbers of threads.
    n_pieces : int
        Into how many pieces a run is cut.
    n_stops : int
        How often a run is stopped from outside, at most.
    seed : int
        Source of all randomness.
    """

    scale: float = 0.1
    duration: float = 1000.0
    threads: tuple[int, ...] = (1, 2, 3, 4, 8)
    n_pieces: int = 7
    n_stops: int = 5
    seed: int = 1

    @classmethod
    def smoke(cls) -> Config:
        """Return the smallest run that touches everything."""
        return cls(scale=0.001, duration=10.0, threads=(1, 2), n_pieces=2, n_stops=1)


@dataclass(frozen=True)
class Way:
    """One way to the result.

    Parameters
    ----------
    name : str
        What was done.
    digest : str
        SHA-256 of all spikes and of the final state.
    n_spikes : int
        How many spikes there were.
    seconds : float
        What it took, connections included.
    """

    name: str
    digest: str
    n_spikes: int
    seconds: float


def run(config: Config) -> dict[str, list[Way]]:
    """Go all ways with every network.

    Returns
    -------
    dict of list of Way
        For each network; the last one has another seed.
    """
    return {
        name: _ways(make(config.scale), precision, config)
        for name, (make, precision) in NETWORKS.items()
    }


def _ways(network: sp.Network, precision: str, config: Config) -> list[Way]:
    def whole(threads: int, seed: int = config.seed) -> list[sp.Recording]:
        return [
            sp.simulate(
                network, config.duration, seed=seed, threads=threads, precision=precision
            )
        ]  # fmt: skip

    # Loads what is compiled, so that the first way is not slower for it.
    sp.simulate(network, DT, seed=config.seed, threads=max(config.threads), precision=precision)
    ways = [
        _timed(f"{n} thread{'s' * (n > 1)}", lambda n=n: whole(n))  # type: ignore[misc]
        for n in config.threads
    ]
    ways += [
        _timed("{} pieces, threads in turn", lambda: _in_pieces(network, precision, config)),
        _timed("{} pieces, from files", lambda: _in_pieces(network, precision, config, True)),
        _timed("stopped by the clock: {} pieces", lambda: _with_stops(network, precision, config)),
    ]
    ways.append(_timed("another seed", lambda: whole(config.threads[0], config.seed + 1)))
    return ways


def _timed(name: str, simulate: Callable[[], list[sp.Recording]]) -> Way:
    start = time.perf_counter()
    parts = simulate()
    seconds = time.perf_counter() - start
    return Way(name.format(len(parts)), *_digest(parts), seconds)


def _in_pieces(
    network: sp.Network, precision: str, config: Config, files: bool = False
) -> list[sp.Recording]:
    """Simulate pieces of different lengths, each with the next number of threads."""
    steps = round(config.duration / DT)
    ends = np.unique(np.linspace(0.0, 1.0, config.n_pieces + 1)[1:] ** 2 * steps // 1)
    parts: list[sp.Recording] = []
    how: dict[str, Any] = {"seed": config.seed}
    for index, length in enumerate(np.diff(ends, prepend=0.0)):
        threads = config.threads[-1 - index % len(config.threads)]
        parts.append(
            sp.simulate(network, length * DT, threads=threads, precision=precision, **how)
        )  # fmt: skip
        how = {"state": _from_file(parts[-1], network) if files else parts[-1].final_state}
    return parts


def _from_file(recording: sp.Recording, network: sp.Network) -> Any:
    """Write the final state to a file and read it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        recording.final_state.save(path)
        return sp.load_state(path, network)


class _Stopped(Exception):
    """What stops a run; `recording` holds what was recorded until then."""

    recording: sp.Recording


def _with_stops(network: sp.Network, precision: str, config: Config) -> list[sp.Recording]:
    """Simulate with a progress function that raises: the run ends wherever it is.

    The function is called after the first stretch, whose length is fixed, and from then on as the
    clock has it.
    """
    calls = 0

    def stop(done: float, duration: float) -> None:
        nonlocal calls
        calls += 1
        if calls % 2 == 0:
            raise _Stopped

    parts: list[sp.Recording] = []
    left, threads = round(config.duration / DT), max(config.threads)
    how: dict[str, Any] = {"seed": config.seed}
    while left:
        progress = stop if len(parts) < config.n_stops else False
        try:
            part = sp.simulate(
                network, left * DT, threads=threads, precision=precision, progress=progress, **how
            )  # fmt: skip
        except _Stopped as error:
            part = error.recording
        parts.append(part)
        how = {"state": part.final_state}
        left -= round(part.duration / DT)
    return parts


def _digest(parts: Sequence[sp.Recording]) -> tuple[str, int]:
    """Return the hash of all spikes and of the last state, and how many spikes there are."""
    found, n_spikes = hashlib.sha256(), 0
    for name in parts[0].populations:
        for values, kind in (("spike_times", np.float64), ("spike_ids", np.int64)):
            joined = np.concatenate([getattr(part[name], values) for part in parts])
            if values == "spike_times":
                joined = np.rint(joined / DT)
                n_spikes += len(joined)
            found.update(joined.astype(kind).tobytes())
    state = parts[-1].final_state
    found.update(str(state.step).encode())
    for name, array in sorted(state.arrays.items()):
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest(), n_spikes


def same(ways: Sequence[Way]) -> bool:
    """Return whether all ways led to one result, and the last, of another seed, to another."""
    *others, control = (way.digest for way in ways)
    return len(set(others)) == 1 and control != others[0]


def table(found: dict[str, list[Way]]) -> str:
    """Return the ways to each network with the first half of each hash."""
    lines = []
    for name, ways in found.items():
        lines.append(f"{name:33s}  SHA-256 of spikes and state (first half)    spikes  seconds")
        for way in ways:
            lines.append(
                f"  {way.name:31s}  {way.digest[:32]}  {way.n_spikes:16d}  {way.seconds:7.2f}"
            )
        lines.append("  all the same, but for the seed\n" if same(ways) else "  DIFFERENT\n")
    return "\n".join(lines)


def draw(found: dict[str, list[Way]], out: Path) -> Path:
    """Write the picture: each hash as a strip of 32 grey values, and what it took."""
    import matplotlib.pyplot as plt

    out.mkdir(parents=True, exist_ok=True)
    rows = max(len(ways) for ways in found.values())
    figure, axes = plt.subplots(
        len(found), 2, figsize=(10.0, 0.6 + (0.5 + 0.21 * rows) * len(found)),
        layout="constrained", width_ratios=[2.2, 1.0], squeeze=False,
    )  # fmt: skip
    for (name, ways), (strips, bars) in zip(found.items(), axes, strict=True):
        places = np.arange(len(ways))
        strips.imshow(
            [list(bytes.fromhex(way.digest)) for way in ways],
            cmap="gray", vmin=0, vmax=255, aspect="auto",
        )  # fmt: skip
        for place in places[1:]:
            strips.axhline(place - 0.5, color="white", linewidth=1.5)
        strips.set(xticks=[], yticks=places)
        strips.set_yticklabels([way.name for way in ways], fontsize="small")
        strips.tick_params(length=0)
        verdict = "one result" if same(ways) else "DIFFERENT RESULTS"
        strips.set_title(f"{name}: {verdict}", loc="left", fontsize="medium")
        bars.barh(places, [way.seconds for way in ways], color=sp.plotting.COLOURS[0], height=0.7)
        bars.set(ylim=(len(ways) - 0.5, -0.5), yticks=[])
        bars.spines[["top", "right"]].set_visible(False)
    axes[-1, 0].set_xlabel("the 32 bytes of SHA-256 of spikes and final state")
    axes[-1, 1].set_xlabel("time, connections included (s)")
    path = out / "same_bits.png"
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def main(argv: list[str] | None = None) -> None:
    """Run the experiment, print its tables; exit with 1 if a bit differs."""
    parser = command.parser(__doc__, "same_bits")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the hashes to this file")
    args = parser.parse_args(argv)
    found = run(command.config_of(Config, args))
    print(table(found))
    print(draw(found, args.out))
    if args.json:
        source = measure.origin(__file__, argv)
        rows = [{"network": name} | asdict(way) for name, ways in found.items() for way in ways]
        measure.write_json(args.json, [row | source for row in rows])
    if not all(same(ways) for ways in found.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
