"""The command ``spikesim``: compare, ledger, simulate, doctor."""

from __future__ import annotations

import argparse
import io
import os
import secrets
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import spikesim
from spikesim import comparison
from spikesim._files import write_atomically
from spikesim.errors import ParameterError, SpikesimError
from spikesim.ledger import command as ledger_command

__all__ = ["main"]

_LONG_SECONDS = 5.0
_DESCRIPTION = """\
Simulate and train spiking neural networks on an ordinary computer.

A first look:
  spikesim doctor                              is everything in place?
  spikesim simulate --out lif.png              one neuron, drawn
  spikesim compare --quick --out results/demo  learning rules side by side, in minutes
  spikesim ledger --quick --out results/ledger claims about learning, measured and judged
"""

_SIMULATE = """\
Simulate one leaky integrate-and-fire neuron, or with --network a small random network of
excitatory and inhibitory ones, and print how it fires.

The neuron charges with time constant tau_m towards v_rest + (tau_m / c_m) * i_ext; at v_th it
fires, is reset to v_reset and rests for t_ref. In a network each neuron also receives
exponential currents: from its neighbours, and from Poisson spikes at --rate.
"""

_SIMULATE_EXAMPLES = """\
examples:
  spikesim simulate --i-ext 400 --out lif.png
      a neuron driven just above its threshold current (375 pA for the default parameters)
  spikesim simulate --i-ext 370
      just below: it never fires
  spikesim simulate --network --out network.png --spikes spikes.csv
      500 neurons with recurrent inhibition; raster, rates, membranes, and the spikes as a table
  spikesim simulate --network --inhibition 2 --seed 1
      inhibition too weak to hold excitation back: rates rise fivefold
"""

_NETWORK_OPTIONS: dict[str, tuple[int | float, str]] = {
    "n_exc": (400, "excitatory neurons"),
    "n_inh": (100, "inhibitory neurons"),
    "probability": (0.1, "of a synapse between any two neurons"),
    "weight": (80.0, "of an excitatory synapse and of the input, pA"),
    "inhibition": (6.0, "weight of inhibitory synapses, in excitatory ones"),
    "tau_syn": (2.0, "synaptic time constant, ms"),
    "delay": (1.5, "of all synapses, ms"),
    "rate": (2000.0, "of the Poisson input of each neuron, Hz"),
}

_DOCTOR = """\
Report the versions in use, where compiled code is kept, and whether a simulation and a gradient
come out as theory says. Exits with 1, and says what to do, when something is wrong.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; default those of the process.

    Returns
    -------
    int
        Exit code: 0 done, 1 something is wrong with the installation, 2 wrong arguments or
        input, 130 interrupted.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    for stream in (sys.stdout, sys.stderr):
        # A path may hold letters that the terminal's encoding does not have.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            arguments = _parser().parse_args(argv)
            return arguments.run(arguments)
    except SpikesimError as error:
        return _complain(error)
    except BrokenPipeError:
        # The reader (such as head) has gone; keep Python from flushing into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _complain(f"{error.filename or 'file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        return 130


def _complain(error: Any) -> int:
    print(f"spikesim: error: {error}", file=sys.stderr)
    return 2


def _show_warning(message: Any, *_: Any, **__: Any) -> None:
    print(f"spikesim: warning: {message}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "spikesim",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"spikesim {spikesim.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    raw = argparse.RawDescriptionHelpFormatter

    compare = commands.add_parser("compare", help="put learning rules side by side")
    comparison.add_arguments(compare)
    compare.set_defaults(run=comparison.run_from_arguments)

    ledger = commands.add_parser("ledger", help="measure and judge claims about learning")
    ledger_command.add_arguments(ledger)
    ledger.set_defaults(run=ledger_command.run_from_arguments)

    simulate = commands.add_parser(
        "simulate",
        help="simulate a neuron or a small network",
        description=_SIMULATE,
        epilog=_SIMULATE_EXAMPLES,
        formatter_class=raw,
    )
    _add_simulate_arguments(simulate)
    simulate.set_defaults(run=_simulate)

    doctor = commands.add_parser(
        "doctor", help="check the installation", description=_DOCTOR, formatter_class=raw
    )
    doctor.set_defaults(run=_doctor)
    return parser


def _add_simulate_arguments(parser: argparse.ArgumentParser) -> None:
    def number(group: Any, flag: str, default: float | None, text: str) -> None:
        shown = "" if default is None else f" (default {default:g})"
        group.add_argument(flag, type=float, default=default, metavar="X", help=text + shown)

    def count(group: Any, flag: str, default: int | None, text: str) -> None:
        shown = "" if default is None else f" (default {default})"
        group.add_argument(flag, type=int, default=default, metavar="N", help=text + shown)

    run = parser.add_argument_group("run")
    number(run, "--duration", 1000.0, "biological time, ms")
    number(run, "--dt", 0.1, "time step, ms")
    count(run, "--seed", None, "makes a run with random input repeatable; printed if not given")
    run.add_argument("--out", metavar="FILE", help="draw raster and membrane: .png, .svg or .pdf")
    run.add_argument("--spikes", metavar="FILE", help="write the spikes as CSV")
    run.add_argument("--no-progress", action="store_true", help="show no progress bar")

    neuron = parser.add_argument_group("neuron")
    number(neuron, "--tau-m", 10.0, "membrane time constant, ms")
    number(neuron, "--c-m", 250.0, "membrane capacitance, pF")
    number(neuron, "--v-rest", -65.0, "resting potential, mV")
    number(neuron, "--v-th", -50.0, "threshold, mV")
    number(neuron, "--v-reset", -65.0, "reset potential, mV")
    number(neuron, "--t-ref", 2.0, "absolute refractory period, ms")
    number(neuron, "--i-ext", None, "constant input current, pA (default 500, or 0 with --network)")

    network = parser.add_argument_group("network")
    network.add_argument("--network", action="store_true", help="simulate a random network")
    for name, (default, text) in _NETWORK_OPTIONS.items():
        network.add_argument(
            _flag(name),
            type=type(default),
            metavar="N" if isinstance(default, int) else "X",
            help=f"{text} (default {default:g})",
        )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _simulate(arguments: argparse.Namespace) -> int:
    from spikesim.simulation import SimulationInterrupted, simulate

    picture = _picture_format(arguments.out)
    _fill_network_options(arguments)
    network = _network(arguments)
    for flag, path in (("--out", arguments.out), ("--spikes", arguments.spikes)):
        if path is not None:
            _check_writable(flag, path)
    started = time.perf_counter()
    code = 0
    try:
        recording = simulate(
            network,
            arguments.duration,
            dt=arguments.dt,
            record=_record(network) if picture else None,
            seed=secrets.randbits(32) if arguments.seed is None else arguments.seed,
            progress=False if arguments.no_progress else None,
        )
    except SimulationInterrupted as interruption:
        if interruption.recording is None:
            print(f"{interruption}; nothing was simulated", file=sys.stderr)
            return 130
        recording, code = interruption.recording, 130
    seconds = time.perf_counter() - started

    print(
        f"{recording.duration:g} ms at dt = {recording.dt:g} ms in {seconds:.3g} s"
        + (" (the first run of a kind of network compiles)" if seconds > _LONG_SECONDS else "")
        + (f", interrupted before {arguments.duration:g} ms" if code else "")
        + f"; seed {recording.seed}"
    )
    print(_table(recording))
    if arguments.spikes is not None:
        _write("--spikes", arguments.spikes, _csv(recording))
        print(f"spikes  {arguments.spikes}")
    if picture:
        _write("--out", arguments.out, _picture(recording, picture))
        print(f"picture {arguments.out}")
    return code


def _picture_format(path: str | None) -> str | None:
    if path is None:
        return None
    suffix = Path(path).suffix.lstrip(".").lower()
    if suffix not in ("png", "svg", "pdf"):
        raise ParameterError(f"--out must end in .png, .svg or .pdf, got {path!r}")
    return suffix


def _check_writable(flag: str, path: str) -> None:
    """Make the folder of `path` and find out, before the run, whether a file can be put there."""
    if Path(path).is_dir():
        raise ParameterError(f"{flag} must name a file, {path} is a folder")
    with _naming(flag, path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=Path(path).parent):
            pass


def _write(flag: str, path: str, content: str | bytes) -> None:
    with _naming(flag, path):
        write_atomically(path, content)


@contextmanager
def _naming(flag: str, path: str) -> Iterator[None]:
    """Name the file that the user asked for, rather than the temporary one, in an error."""
    try:
        yield
    except OSError as error:
        raise ParameterError(
            f"{flag}: {path} cannot be written: {error.strerror or error}"
        ) from None


def _fill_network_options(arguments: argparse.Namespace) -> None:
    """Put in the defaults of the network's options; refuse the options without a network."""
    for name, (default, _) in _NETWORK_OPTIONS.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, default)
        elif not arguments.network:
            raise ParameterError(f"{_flag(name)} is of a network; give --network as well")


def _network(arguments: argparse.Namespace) -> Any:
    """Return what the options describe: a population of one, or a random network."""
    a = arguments
    i_ext = (0.0 if a.network else 500.0) if a.i_ext is None else a.i_ext
    model = spikesim.LIF(a.tau_m, a.c_m, a.v_rest, a.v_th, a.v_reset, a.t_ref, i_ext)
    if not a.network:
        return spikesim.Network([spikesim.Population("neuron", model, 1)])
    exc = spikesim.Population("exc", model, a.n_exc)
    inh = spikesim.Population("inh", model, a.n_inh)
    synapse = spikesim.Exponential(a.tau_syn)
    rule = spikesim.FixedProbability(a.probability, autapses=False)
    projections = [
        spikesim.Projection(
            source,
            target,
            rule if source is target else spikesim.FixedProbability(a.probability),
            weight=weight,
            delay=a.delay,
            synapse=synapse,
        )
        for source, weight in ((exc, a.weight), (inh, -a.inhibition * a.weight))
        for target in (exc, inh)
    ]
    inputs = [
        spikesim.PoissonInput(target, rate=a.rate, weight=a.weight, synapse=synapse)
        for target in (exc, inh)
    ]
    return spikesim.Network([exc, inh], projections, inputs)


def _record(network: Any) -> dict[str, Any]:
    """Ask for the membrane of the first neurons of the first population."""
    first = network.populations[0]
    return {first.name: spikesim.Record("v", neurons=list(range(min(2, first.n))))}


def _table(recording: Any) -> str:
    import numpy as np

    lines = [f"{'population':12} {'neurons':>8} {'spikes':>9} {'rate (Hz)':>10} {'CV of ISI':>10}"]
    for name in recording.populations:
        population = recording[name]
        variation = population.cv()
        known = variation[np.isfinite(variation)]
        mean = f"{known.mean():10.2f}" if known.size else f"{'-':>10}"
        lines.append(
            f"{name:12} {population.n:8d} {len(population.spike_times):9d} "
            f"{recording.rate(name):10.2f} {mean}"
        )
    return "\n".join(lines)


def _csv(recording: Any) -> str:
    columns = recording.to_columns()
    rows = zip(columns["t_ms"], columns["neuron"], columns["population"], strict=True)
    lines = [f"{time:.10g},{neuron},{population}\n" for time, neuron, population in rows]
    return "t_ms,neuron,population\n" + "".join(lines)


def _picture(recording: Any, kind: str) -> bytes:
    from matplotlib.figure import Figure

    from spikesim import plotting

    alone = sum(recording[name].n for name in recording.populations) == 1
    figure = Figure(figsize=(7.2, 3.6 if alone else 7.0), layout="constrained")
    upper, lower = figure.subplots(2, 1, height_ratios=[1, 4] if alone else [2, 1])
    plotting.raster(recording, ax=upper, histogram=not alone)
    if alone:
        upper.set(yticks=[], ylabel="", xlabel="")
    plotting.membrane(recording, ax=lower)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=150)
    return buffer.getvalue()


def _doctor(arguments: argparse.Namespace) -> int:
    from spikesim import doctor

    findings = doctor.examine()
    print(doctor.report(findings))
    return 0 if all(finding.fine for finding in findings) else 1
