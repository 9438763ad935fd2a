"""Whole products or a row for each spike: from which share of ones on the former are faster.

One layer of 700 inputs and 256 units, 100 steps, on one core: forward, and the gradient by its
weights. Spikes take the way that is chosen for them; the same number of graded inputs always takes
whole products. Beside it the matrix product of NumPy's library, which sums in an order of its own.
Run it with ``python -m experiments.benchmarks.density``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from spikesim import LIF, Exponential, FastSigmoid, Layer, LayeredNetwork
from spikesim.layered import PackedSpikes, backward, forward

SHARES = (0.03, 0.1, 0.2, 0.3, 0.45, 0.55)
# So few trials are run as one part, in this thread.
N_STEPS, N_TRIALS, N_INPUTS, N_UNITS = 100, 28, 700, 256


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--precision", choices=("single", "double"), default="single")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    layer = Layer(
        rng.normal(0.0, 0.03, (N_INPUTS, N_UNITS)), LIF.normalised(10.0), synapse=Exponential(5.0)
    )
    network = LayeredNetwork([layer], precision=options.precision)
    kind = network.dtype
    rows = np.ones((N_STEPS * N_TRIALS, N_INPUTS), kind)
    after = np.ones((N_STEPS * N_TRIALS, N_UNITS), kind)
    with threadpool_limits(1):
        library = (
            milliseconds(lambda: rows @ network.layers[0].w, options.repeats),
            milliseconds(lambda: rows.T @ after, options.repeats),
        )
    print(f"milliseconds on one core, {options.precision} precision: the shortest of", end=" ")
    print(f"{options.repeats} calls\n")
    print("share of ones   input    way          forward  gradient")
    for share in SHARES:
        spikes = (rng.random((N_STEPS, N_TRIALS, N_INPUTS)) < share) * 1.0
        for name, x in (("spikes", spikes), ("graded", 0.5 * spikes)):
            traces = forward(network, x)
            way = "by spikes" if traces[0].by_spikes else "products"
            times = measured(network, x, options.repeats)
            print(f"{share:13.0%}   {name:8} {way:10} {times[0]:9.2f} {times[1]:9.2f}")
    print(f"{'the library':35} {library[0]:9.2f} {library[1]:9.2f}")


def measured(network: LayeredNetwork, x: np.ndarray, repeats: int) -> tuple[float, float]:
    """Return the times of a forward run and of the gradient, without the packing of spikes."""
    traces = forward(network, x)
    upstream = np.ones(traces[0].v.shape, network.dtype)
    given = PackedSpikes.pack(x) if x.max() == 1.0 else x
    return (
        milliseconds(lambda: forward(network, given), repeats),
        milliseconds(
            lambda: backward(network, given, traces, upstream, None, surrogate=FastSigmoid()),
            repeats,
        ),
    )


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    """Return the shortest time of several calls, of this thread."""
    work()
    times = []
    for _ in range(repeats):
        started = time.thread_time()
        work()
        times.append(time.thread_time() - started)
    return 1000.0 * min(times)


if __name__ == "__main__":
    main()
