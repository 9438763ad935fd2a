"""Write a page for each learning rule, from its docstring.

Run ``python docs/build_rules.py`` after a rule was added or its docstring changed; it writes
``docs/rules/``. A test compares what it would write with what is there.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import spikesim as sp
from spikesim import learning

FOLDER = Path(__file__).resolve().parent / "rules"

# Rules that are another rule on a network, or with a part, of a certain kind.
COMPOSED: dict[str, tuple[str, str, Any, str]] = {
    "differential_committee": (
        "Differential committee", "spikesim.learning.committee_network",
        learning.committee_network, "committees: Tanh, Sigmoid",
    ),
    "straight_through": (
        "Straight-through estimator", "spikesim.StraightThrough",
        sp.StraightThrough, "any number of layers: Step, LIF",
    ),
}  # fmt: skip

UNITS: dict[str, Any] = {
    "Step": sp.Step(),
    "LIF": sp.LIF.normalised(),
    "Sigmoid": sp.Sigmoid(),
    "Tanh": sp.Tanh(),
}

MADE = "<!-- Made by `python docs/build_rules.py` from the docstring: change it there. -->"

_MARKS = {"Each synapse must know": "know", "Works": "works", "Fails": "fails"}
_WORDS = {"know": "Each synapse must know", "works": "It works", "fails": "It fails"}


def rules() -> dict[str, Any]:
    """Return every learning rule of the package by name."""
    found = {}
    for name in learning.__all__:
        thing = getattr(learning, name)
        if inspect.isclass(thing) and not getattr(thing, "_is_protocol", False):
            if hasattr(thing, "init") and hasattr(thing, "step"):
                found[name] = thing
    return found


def pages() -> dict[str, str]:
    """Return the text of each page by file name.

    Raises
    ------
    ValueError
        A docstring without one of its parts; the message names both.
    """
    made = {}
    lines = {}
    for name, rule in rules().items():
        parts = parse(name, inspect.getdoc(rule) or "")
        made[_file(name)] = _page(name, f"spikesim.learning.{name}", parts)
        lines[_file(name)] = _line(name, parts, accepted(rule()))
    for stem, (title, origin, thing, units) in COMPOSED.items():
        parts = parse(thing.__name__, inspect.getdoc(thing) or "")
        file = f"{stem}.md"
        made[file] = _page(title, origin, parts)
        lines[file] = _line(title, parts, units)
    made["index.md"] = _index(lines)
    return made


def accepted(rule: Any) -> str:
    """Return the networks that a rule takes, found by handing them to it."""
    kinds: dict[str, list[str]] = {}
    for form, units in _networks().items():
        for unit, networks in units.items():
            if any(_takes(rule, network) for network in networks):
                kinds.setdefault(form, []).append(unit)
    if "any number of layers" in kinds:
        kinds.pop("one layer", None)
    return "; ".join(f"{form}: {', '.join(units)}" for form, units in kinds.items())


def _networks() -> dict[str, dict[str, list[Any]]]:
    made: dict[str, dict[str, list[Any]]] = {
        "one layer": {}, "any number of layers": {}, "committees": {}, "in continuous time": {}
    }  # fmt: skip
    for name, t_ref in (("LIF", 0.0), ("LIF that fires once", 100.0)):
        made["in continuous time"][name] = [
            sp.dense([2, 3, 2], sp.LIF.normalised(t_ref=t_ref), synapse=sp.Exponential(3.0),
                     continuous=True, rng=0)
        ]  # fmt: skip
    for name, unit in UNITS.items():
        options: dict[str, Any] = {"synapse": sp.Exponential(3.0)} if unit.spiking else {}
        for form, sizes in (("one layer", [2]), ("any number of layers", [2, 3])):
            made[form][name] = [
                sp.dense([*sizes, n], unit, rng=0, **options) for n in (1, 2)
            ]  # fmt: skip
        made["committees"][name] = [
            learning.committee_network(2, 3, n, unit, rng=0, **options) for n in (1, 2)
        ]
    return made


def _takes(rule: Any, network: Any) -> bool:
    try:
        rule.init(network)
    except sp.SpikesimError:
        return False
    return True


def parse(name: str, docstring: str) -> dict[str, Any]:
    """Return the parts of a docstring.

    Parameters
    ----------
    name : str
        Whose it is, for errors.
    docstring : str
        A summary line, equations and paragraphs, of which some begin with ``*Each synapse must
        know*``, ``*Works*`` and ``*Fails*``; the sections Parameters and References.

    Returns
    -------
    dict
        ``summary``, ``how``, ``know``, ``works``, ``fails``, ``more``, ``parameters``,
        ``sources``, as Markdown.

    Raises
    ------
    ValueError
        A part that is not there.
    """
    body, sections = _sections(docstring)
    summary, _, rest = body.partition("\n\n")
    parts: dict[str, Any] = {key: [] for key in ("how", "know", "works", "fails", "more")}
    here, after_equation = "how", False
    for block in _blocks(rest):
        if block.startswith(".. math::"):
            parts[here].append(_equation(block))
            after_equation = True
            continue
        pieces = re.split(r"\*(Each synapse must know|Works|Fails)\*", block, flags=re.IGNORECASE)
        if pieces[0].strip():
            if here != "how" and not (after_equation and block[0].islower()):
                here = "more"
            parts[here].append(_markdown(pieces[0]))
        for mark, text in zip(pieces[1::2], pieces[2::2], strict=True):
            here = next(key for word, key in _MARKS.items() if word.lower() == mark.lower())
            parts[here].append(_markdown(f"{_WORDS[here]}{text.rstrip()}"))
        after_equation = False
    for key in ("know", "works", "fails"):
        parts[key] = [re.sub(r"[;,]$", ".", text) for text in parts[key]]
    parts["summary"] = _markdown(" ".join(summary.split()))
    parts["parameters"] = _parameters(sections.get("Parameters", ""))
    parts["sources"] = _markdown(sections.get("References", ""))
    for mark, key in _MARKS.items():
        if not parts[key]:
            raise ValueError(f"the docstring of {name} does not say *{mark}*")
    if not any("```math" in text for text in parts["how"]):
        raise ValueError(f"the docstring of {name} has no equation (.. math::) before *Works*")
    if not parts["sources"]:
        raise ValueError(f"the docstring of {name} has no section References")
    return parts


def _sections(docstring: str) -> tuple[str, dict[str, str]]:
    """Return what stands before the first section, and the sections by title."""
    pieces = re.split(r"^(\w+)\n-{3,}\n", docstring, flags=re.MULTILINE)
    return pieces[0].strip(), dict(zip(pieces[1::2], pieces[2::2], strict=True))


def _blocks(text: str) -> Iterator[str]:
    """Yield paragraphs, lists and equations; an equation keeps its indented lines."""
    waiting = ""
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        if waiting and block.startswith(" "):
            yield f"{waiting}\n{block}"
            waiting = ""
            continue
        if waiting:
            yield waiting
            waiting = ""
        if block.strip() == ".. math::":
            waiting = block.strip()
        else:
            yield block
    if waiting:
        yield waiting


def _equation(block: str) -> str:
    lines = [line.strip() for line in block.removeprefix(".. math::").strip().splitlines()]
    text = "\n".join(lines)
    if ("&" in text or r"\\" in text) and r"\begin{" not in text:
        text = f"\\begin{{aligned}}\n{text}\n\\end{{aligned}}"
    return f"```math\n{text}\n```"


def _markdown(text: str) -> str:
    """Return reStructuredText as the Markdown that GitHub renders."""
    text = inspect.cleandoc(text)
    text = re.sub(
        r":math:`([^`]+)`", lambda match: f"$`{' '.join(match[1].split())}`$", text
    )  # fmt: skip
    text = re.sub(r":\w+:`~?([\w.]+)`", lambda match: _named(match[1].split(".")[-1]), text)
    return text.replace("``", "`")


def _named(name: str) -> str:
    if name in rules():
        return f"[{name}]({_file(name)})"
    for stem, (_, _, thing, _) in COMPOSED.items():
        if thing.__name__ == name:
            return f"[{name}]({stem}.md)"
    return f"`{name}`"


def _parameters(text: str) -> list[str]:
    """Return a list item for each parameter."""
    items = []
    for match in re.finditer(r"^(\S[^\n]*) : ([^\n]*)\n((?:[ \t]+[^\n]*\n?|\n)*)", text, re.M):
        names = ", ".join(f"`{name}`" for name in match[1].split(", "))
        meaning = " ".join(_markdown(match[3]).split())
        items.append(f"- {names} ({_markdown(match[2])}): {meaning}")
    return items


def _page(title: str, origin: str, parts: dict[str, Any]) -> str:
    sections = [f"# {title}", MADE, parts["summary"], f"`{origin}`", *parts["how"]]
    for heading, key in (
        ("What a synapse must know", "know"),
        ("When it works", "works"),
        ("When it fails", "fails"),
        ("More", "more"),
    ):
        if parts[key]:
            sections += [f"## {heading}", *parts[key]]
    if parts["parameters"]:
        sections += ["## Parameters", "\n".join(parts["parameters"])]
    sections += ["## Sources", parts["sources"], "[All rules](index.md)"]
    return "\n\n".join(sections) + "\n"


def _line(title: str, parts: dict[str, Any], units: str) -> dict[str, str]:
    know = " ".join(parts["know"][0].removeprefix("Each synapse must know").split())
    first = re.split(r"(?<=[.:;]) ", know)[0].rstrip(".:;")
    return {"title": title, "summary": parts["summary"].rstrip("."), "know": first, "units": units}


def _index(lines: dict[str, dict[str, str]]) -> str:
    table = [
        "| rule | what it does | what each synapse must know | networks it takes |",
        "|---|---|---|---|",
    ]
    table += [
        f"| [{line['title']}]({file}) | {line['summary']} | {line['know']} | {line['units']} |"
        for file, line in sorted(lines.items())
    ]
    text = (
        "One page a rule: equation, what it must know, when it works, when it fails, source. The "
        "last column\nwas found by handing each network to each rule. The [ledger](../ledger.md) "
        "has the numbers."
    )
    return "\n".join(["# The rules", "", MADE, "", text, "", *table, ""])


def _file(name: str) -> str:
    # Capitals within a word begin no other one.
    name = name.replace("ReSuMe", "Resume")
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return f"{words.lower()}.md"


def main() -> None:
    """Write all pages and remove those of rules that are gone."""
    FOLDER.mkdir(exist_ok=True)
    made = pages()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    for path in FOLDER.glob("*.md"):
        if path.name not in made:
            path.unlink()
    print(f"{len(made)} pages in {FOLDER}")


if __name__ == "__main__":
    main()
