"""The tables of ``build_benchmarks.py`` on one network, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from docs.benchmark_figures import NAMES, simulator
from docs.benchmark_results import OURS, Group, Row, beside, bound, same_spikes
from experiments.benchmarks import peers


def number(value: float) -> str:
    """Return a number with three digits."""
    return f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.3g}"


def spread(values: Sequence[float]) -> str:
    """Return median, smallest and largest value."""
    middle = number(float(np.median(values)))
    return middle if len(values) < 2 else f"{middle} ({number(min(values))}–{number(max(values))})"


def table(rows: Sequence[dict[str, str]]) -> str:
    """Return a table of the columns in which something stands; numbers to the right."""
    columns = [key for key in rows[0] if any(row[key] for row in rows)]

    def is_number(key: str) -> bool:
        return all(
            re.fullmatch(r"[\d.,–()*+≤± %-]+( [a-zA-Z]{1,2})?", row[key])
            for row in rows
            if row[key]
        )

    lines = [columns, ["--:" if is_number(key) else "---" for key in columns]]
    lines += [[row[key] for key in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def on_threads(threads: Sequence[int]) -> str:
    """Return numbers of threads in words."""
    text = ", ".join(map(str, threads[:-1])) + " and " if len(threads) > 1 else ""
    return f"{text}{threads[-1]} thread{'s' if list(threads) != [1] else ''}"


def runs_table(found: Sequence[Group], scaling_rows: Sequence[Row]) -> str:
    """Return the table of one network, a line for each way to run it."""
    lines = []
    single = found[0].rows[0]["workload"] == "lif"
    for group in found:
        ours = group.simulator == OURS
        own = None if ours else beside(group, found)
        limit = bound(group, scaling_rows) if ours else None

        def ratio(column: str, group: Group = group, own: Group | None = own) -> str:
            return f"{number(group.median(column) / own.median(column))}" if own else ""

        main = "sim_s" if single else "realtime_factor"
        scaled = [(1000.0 if single else 1.0) * value for value in group.values(main)]
        first = {c: spread([row[c] for row in group.cold]) if group.cold else ""
                 for c in ("build_s", "process_s")}  # fmt: skip
        lines.append(
            {
                "simulator": simulator(group.simulator),
                "precision": group.precision,
                "threads": str(group.threads),
                "runs": str(len(group.rows)),
                "a later call (ms)" if single else "realtime factor": f"**{spread(scaled)}**",
                "first call (s)" if single else "build (s)": spread(group.values("build_s")),
                "process (s)": spread(group.values("process_s")),
                "memory (MB)": spread(group.values("peak_rss_mb")),
                "ratio of time": ratio(main),
                "of process": ratio("process_s"),
                "of memory": ratio("peak_rss_mb"),
                "first build (s)": first["build_s"],
                "first process (s)": first["process_s"],
                "bound": number(limit) if limit else "",
                "distance": number(group.median("realtime_factor") / limit) if limit else "",
            }
        )
    return table(lines)


def equal_spikes(rows: Sequence[Row]) -> str:
    """Return in words which runs had the same spikes."""
    texts = []
    equal, n, found_on = same_spikes(rows)
    if n:
        texts.append(
            f"Spikes of ours with the same seed and precision, on {on_threads(found_on)}: "
            + ("all equal" if equal == n else f"**equal only for {equal} of {n} seeds**")
        )
    found: dict[tuple[str, int], list[float | None]] = {}
    for row in rows:
        if row["simulator"] != OURS and "first_difference" in row:
            key = (simulator(row["simulator"]), row["threads"])
            found.setdefault(key, []).append(row["first_difference"]["ms"])
    for (name, n_threads), times in found.items():
        different = [time for time in times if time is not None]
        text = f"{name} on {on_threads([n_threads])} against ours, neuron by neuron: "
        text += f"all spikes equal for {len(times) - len(different)} of {len(times)} seeds"
        if different:
            text += f", else the first that differs comes after {spread(different)} ms"
        texts.append(text)
    return "\n".join(f"- {text}." for text in texts)


def agreement(rows: Sequence[Row]) -> list[str]:
    """Return the comparison of rates and CVs with the others."""
    entries = peers.agreement([row for row in rows if row["cache"] != "cold"])
    if not entries:
        return []
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for entry in entries:
        key = (NAMES.get(entry["peer"], entry["peer"]), entry["precision"], entry["population"])
        line = lines.setdefault(key, dict(zip(("beside", "ours in", "population"), key,
                                              strict=True)))  # fmt: skip
        relative = entry["quantity"] == "rate"
        unit, kind = ("rate (Hz)", "+.2%") if relative else ("CV", "+.4f")
        error = entry["standard_error"]
        line[f"{unit}: ours"] = number(entry["ours"])
        line[f"{unit}: other"] = number(entry["theirs"])
        shown = format(entry["difference"], kind)
        shown += f" ± {error:{kind[1:]}}" if error is not None else ""
        line[f"{unit}: difference"] = shown
        line[f"{unit}: verdict"] = _verdict(entry)
    keys = dict.fromkeys(key for line in lines.values() for key in line)
    passed = sum(entry["passed"] for entry in entries)
    unresolved = sum(not e["passed"] and _verdict(e) == "unresolved" for e in entries)
    text = (
        f"Activity: {passed} of {len(entries)} differences are within the limits (rates "
        f"{peers.RATE_LIMIT:.0%}, CV {peers.CV_LIMIT:g})"
    )
    text += f", {unresolved} are beyond by less than two standard errors" if unresolved else ""
    return [
        f"{text}. ± is the standard error over the runs.",
        table([{key: line.get(key, "") for key in keys} for line in lines.values()]),
    ]


def _verdict(entry: Row) -> str:
    limit = peers.RATE_LIMIT if entry["quantity"] == "rate" else peers.CV_LIMIT
    if entry["passed"]:
        return "within"
    error = entry["standard_error"]
    beyond = abs(entry["difference"]) - limit
    return "unresolved" if error is not None and beyond < 2.0 * error else "**beyond**"
