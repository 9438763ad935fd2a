"""Run experiments one after another, each in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import spikesim
from spikesim.ledger.contents import experiments

__all__ = ["choose", "run"]

_LAST_LINES = 15
# What a child gets to close its own processes after an interrupt (s).
_GRACE = 5.0


def run(
    scripts: Mapping[str, Path], out: Path, options: Sequence[str] = ()
) -> tuple[dict[str, float], dict[str, str]]:
    """Run scripts one after another and say on standard output how far it got.

    What a script found before is removed when it starts, so that an old result never passes for
    a new one. What it prints is kept beside its results, in ``output.txt``.

    Parameters
    ----------
    scripts : mapping of str to Path
        By name; each uses all processors, so they run one at a time.
    out : Path
        Each writes into the folder of its name in this one.
    options : sequence of str, default ()
        Passed to each, such as ``--quick``.

    Returns
    -------
    seconds, problems : dict
        By name: how long it took; for those that failed, why.
    """
    seconds: dict[str, float] = {}
    problems: dict[str, str] = {}
    for number, (name, script) in enumerate(scripts.items(), 1):
        print(f"[{number}/{len(scripts)}] {name:18}", end="", flush=True)
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rows.json").unlink(missing_ok=True)
        started = time.perf_counter()
        try:
            code = _run_one(script, folder, options)
        except KeyboardInterrupt:
            print("interrupted; chapters that were finished stay", flush=True)
            raise
        seconds[name] = round(time.perf_counter() - started, 1)
        if code == 0 and (folder / "rows.json").is_file():
            print(f"{seconds[name]:6.1f} s", flush=True)
            continue
        problems[name] = f"exit status {code}" if code else "it wrote no rows"
        print(f"{seconds[name]:6.1f} s  FAILED ({problems[name]})", flush=True)
        lines = (folder / "output.txt").read_text("utf-8", errors="replace").splitlines()
        for line in lines[-_LAST_LINES:]:
            print(f"    {line}", file=sys.stderr)
        print(f"    (all of it: {folder / 'output.txt'})", file=sys.stderr, flush=True)
    return seconds, problems


def choose(names: Iterable[str] | None, folder: Path | None = None) -> dict[str, Path]:
    """Return the scripts of the experiments that are named, all by default."""
    from spikesim import _check

    scripts = experiments(folder)
    if names is None:
        return scripts
    for name in (wanted := list(dict.fromkeys(names))):
        _check.choice("--only", name, tuple(scripts))
    return {name: scripts[name] for name in scripts if name in wanted}


def _run_one(script: Path, folder: Path, options: Sequence[str]) -> int:
    command = [sys.executable, str(script), f"--out={folder}", *options]
    with (folder / "output.txt").open("wb") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env=_environment(),
        )  # fmt: skip
        try:
            return child.wait()
        except BaseException:
            _stop(child)
            raise


def _stop(child: subprocess.Popen[bytes]) -> None:
    try:
        if os.name == "posix":
            child.send_signal(signal.SIGINT)
            child.wait(_GRACE)
    except subprocess.TimeoutExpired:
        pass
    finally:
        child.kill()
        child.wait()


def _environment() -> dict[str, str]:
    """Return an environment in which a child finds this package and needs no display."""
    home = str(Path(spikesim.__file__).resolve().parent.parent)
    paths = [home, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONIOENCODING": "utf-8",
        "MPLBACKEND": "Agg",
    }
