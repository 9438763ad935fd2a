"""Compare the engine with its slow twin on many random networks.

    python -m tests.many_networks --networks 10000

prints what was compared. Where anything differs it ends with status 1 and names the seeds that
show it; --first-seed SEED --networks 1 does one of them again. With --noisy, networks with noise
and drawn connections, which no twin can follow: numbers of threads with each other.
"""

import argparse
import sys
from typing import NamedTuple

import numpy as np

import spikesim as sp
from tests.naive_engine import simulate_naive
from tests.random_networks import STYLES, noisy_network, random_network

THREADS = (1, 2, 3, 4, 8)
V_TOLERANCE = 1e-10  # mV; beyond 100 mV, as no membrane has, 1e-12 of the largest.
I_TOLERANCE = 1e-12  # Of the largest current of the network, or of 1 nA.


class Comparison(NamedTuple):
    """What one network showed; `faults` says in words what differs."""

    seed: int
    style: str
    neurons: int
    synapses: int
    spikes: int
    ties: int
    largest_dv: float
    faults: tuple[str, ...]


def compare(seed, threads=THREADS, style=None):
    """Simulate the random network of `seed` with the twin, and with each number of threads."""
    case = random_network(seed, style)
    truth = simulate_naive(case.network, case.n_steps, case.dt)
    recording, faults = simulate_repeatedly(case, seed, threads)
    return Comparison(
        seed,
        case.style,
        sum(p.n for p in case.network.populations),
        truth.synapses,
        sum(map(len, truth.spikes.values())),
        truth.ties,
        float(max(np.abs(recording[name].v - v).max() for name, v in truth.v.items())),
        (*differences_from(truth, recording), *faults),
    )


def compare_noisy(seed, threads=THREADS):
    """Simulate the noisy network of `seed` with each number of threads, in either precision."""
    case = noisy_network(seed)
    precision = ("double", "compact")[(seed + seed // len(STYLES)) % 2]
    recording, faults = simulate_repeatedly(case, seed, threads, precision)
    n_spikes = sum(len(recording[name].spike_ids) for name in recording.populations)
    n_neurons = sum(p.n for p in case.network.populations)
    return Comparison(seed, f"{case.style}, {precision}", n_neurons, 0, n_spikes, 0, 0.0, faults)


def simulate_repeatedly(case, seed, threads, precision="double"):
    """Return a recording, and which bits change with the number of threads.

    A last run is cut in two, with another number of threads in its second half.
    """

    def run(n_steps, threads, state=None):
        return sp.simulate(
            case.network,
            n_steps * case.dt,
            dt=case.dt,
            record=("v", "i_syn"),
            seed=seed if state is None else None,
            state=state,
            threads=threads,
            precision=precision,
        )

    first = run(case.n_steps, threads[0])
    faults = []
    for count in threads[1:]:
        again = run(case.n_steps, count)
        faults += [f"{count} threads: {fault}" for fault in different_bits(first, again)]
    cut = int(np.random.default_rng(seed).integers(1, case.n_steps))
    begun = run(cut, threads[0])
    ended = run(case.n_steps - cut, threads[-1], begun.final_state)
    faults += [f"cut at step {cut}: {fault}" for fault in different_bits(first, begun, ended)]
    return first, tuple(faults)


def differences_from(truth, recording):
    """Say where spikes differ from those of the twin, or traces by more than rounding."""
    found = []
    for name, spikes in truth.spikes.items():
        steps = np.rint(recording[name].spike_times / recording.dt).astype(int)
        own = list(zip(steps.tolist(), recording[name].spike_ids.tolist(), strict=True))
        if own != spikes:
            at = next((pair for pair in zip(own, spikes, strict=False) if pair[0] != pair[1]), "")
            found.append(f"{len(own)} spikes of {name!r}, {len(spikes)} in the twin {at}")
    largest_i = max(1000.0, *(np.abs(i).max() for i in truth.i_syn.values()))
    for name, v in truth.v.items():
        dv = np.abs(recording[name].v - v).max()
        if not dv <= V_TOLERANCE * max(1.0, np.abs(v).max() / 100.0):
            found.append(f"v of {name!r} differs by {dv:.2g} mV")
        di = np.abs(recording[name].traces["i_syn"] - truth.i_syn[name]).max()
        if not di <= I_TOLERANCE * largest_i:
            found.append(f"i_syn of {name!r} differs by {di:.2g} pA")
    return found


def different_bits(whole, *parts):
    """Say which spikes, traces and final states of `parts`, joined, are not those of `whole`."""
    pairs = []
    for name in whole.populations:
        own, others = whole[name], [part[name] for part in parts]
        for what in ("spike_times", "spike_ids"):
            joined = np.concatenate([getattr(other, what) for other in others])
            pairs.append((f"{what} of {name!r}", getattr(own, what), joined))
        for key, trace in own.traces.items():
            joined = np.concatenate([other.traces[key] for other in others])
            pairs.append((f"{key} of {name!r}", trace, joined))
    states = whole.final_state.arrays, parts[-1].final_state.arrays
    if states[0].keys() != states[1].keys():
        return ["the names in the final state"]
    pairs += [(f"final {key}", array, states[1][key]) for key, array in states[0].items()]
    return [label for label, one, other in pairs if not np.array_equal(one, other)]


def compare_or_say_why_not(comparison, seed, threads):
    """Return what `comparison` finds for a seed, also where an error stops it."""
    try:
        return comparison(seed, threads)
    except Exception as error:
        return Comparison(seed, random_network(seed).style, 0, 0, 0, 0, 0.0, (repr(error),))


def main(arguments=None):
    from joblib import Parallel, delayed
    from tqdm import tqdm

    parser = argparse.ArgumentParser(
        prog="python -m tests.many_networks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--networks", type=int, default=10_000, help="how many (default 10000)")
    add("--first-seed", type=int, default=0, help="seed of the first (default 0)")
    add("--threads", type=int, nargs="+", default=THREADS, help="default 1 2 3 4 8")
    add("--jobs", type=int, default=-1, help="processes (default: one a core)")
    add("--noisy", action="store_true", help="networks with noise, without twin")
    options = parser.parse_args(arguments)
    comparison = compare_noisy if options.noisy else compare
    seeds = range(options.first_seed, options.first_seed + options.networks)
    work = Parallel(n_jobs=options.jobs, return_as="generator_unordered")(
        delayed(compare_or_say_why_not)(comparison, seed, options.threads) for seed in seeds
    )
    found = list(tqdm(work, total=len(seeds), unit="network", disable=not sys.stderr.isatty()))
    wrong = sorted(c for c in found if c.faults)
    for comparison in wrong:
        print(f"seed {comparison.seed} ({comparison.style}):", "; ".join(comparison.faults))
    threads = " ".join(map(str, options.threads))
    print(
        f"{len(found)} networks, {sum(c.neurons for c in found)} neurons, "
        f"{sum(c.synapses for c in found)} synapses, threads {threads}: "
        f"{sum(c.spikes for c in found)} spikes compared ({sum(c.ties for c in found)} at a "
        f"threshold met exactly), {len(wrong)} networks differ, largest |dv| "
        f"{max(c.largest_dv for c in found):.2g} mV"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
