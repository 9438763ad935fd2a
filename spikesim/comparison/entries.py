"""Everyone who takes part: the classic table, and every learning rule that can be imported.

A rule of :mod:`spikesim.learning` needs no line here. It is tried on small networks of each kind,
deepest first, and enters with rate units and with LIF units on the first kind that it accepts.
Three settings are tuned: its own first one (a learning rate where there is one), the scale of the
initial weights, and a third. A rule may say more of itself in a class attribute ``contender``, a
mapping with any of

* ``"search"``: setting to (low, high), tuned before those found here;
* ``"networks"``: keys of :data:`~spikesim.comparison.kinds.KINDS` in place of those found here;
* ``"variants"``: what a variant is called to its options, with ``"networks"`` for other kinds;
* ``"alone"``: False, for a rule that takes part as its variants only.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from spikesim import _check, learning
from spikesim.comparison import contenders as table
from spikesim.comparison.baselines import BASELINES
from spikesim.comparison.builders import Build, Plan, Settings
from spikesim.comparison.contenders import Contender, Note
from spikesim.comparison.kinds import KINDS, Kind, small
from spikesim.comparison.tasks import Problem, Task
from spikesim.errors import ParameterError, SpikesimError
from spikesim.learning import Adam
from spikesim.surrogates import (
    ArcTan,
    FastSigmoid,
    Gaussian,
    Logistic,
    StraightThrough,
    Triangle,
)

__all__ = ["contender", "entrants", "everyone", "names", "note", "rules"]

_GAIN = {"rate": (0.3, 3.0), "LIF": (1.0, 20.0)}
_OWN_RATE, _ADAM_RATE = (0.003, 1.0), (0.0003, 0.1)
_MORE = {
    "margin": (0.03, 1.0),
    "slope": (1.0, 30.0),
    "steepness": (0.25, 4.0),
    "bias_sd": (0.01, 1.0),
}
# Variants that are about networks, of which a rule knows nothing.
_VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "Backprop": {
        "recurrent": {"networks": ("LIF recurrent",)},
        "straight-through": {
            "networks": ("step hidden, sigmoid output",),
            "surrogate": StraightThrough(),
        },
        "frozen hidden layer": {"networks": ("sigmoid frozen", "LIF frozen")},
        "converted to spikes": {"networks": ("sigmoid converted",)},
        # Shapes of the surrogate derivative, of which each is tuned in its scale.
        **{
            f"{shape.__name__} surrogate": {"networks": ("LIF hidden",), "shape": shape}
            for shape in (ArcTan, Gaussian, Logistic, Triangle)
        },
    },
    "EProp": {
        "random feedback": {"feedback": "random"},
        "recurrent": {"networks": ("LIF recurrent",)},
        "recurrent, random feedback": {"networks": ("LIF recurrent",), "feedback": "random"},
    },
    "EventProp": {"continuous time": {"networks": ("continuous",)}},
}


def rules() -> dict[str, type]:
    """Return every learning rule by name: the classes of `spikesim.learning` with a step."""
    found = {}
    for name in learning.__all__:
        thing = getattr(learning, name)
        if inspect.isclass(thing) and not getattr(thing, "_is_protocol", False):
            if hasattr(thing, "init") and hasattr(thing, "step"):
                found[name] = thing
    return found


@lru_cache(maxsize=1)
def everyone() -> tuple[Contender, ...]:
    """Return the contenders of all tasks but the classic ones: rules, then baselines."""
    found = [c for name, rule in rules().items() for c in _of(name, rule)]
    return (*found, *BASELINES)


def names() -> list[str]:
    """Return every name by which contenders can be asked for."""
    found = {name for c in (*table.CONTENDERS, *everyone()) for name in (c.name, c.rule)}
    return sorted(found)


def entrants(task: Task, wanted: Sequence[str] | None = None) -> list[Contender]:
    """Return who takes part in a task.

    Parameters
    ----------
    task : Task
        On a classic one the classic table takes part by itself.
    wanted : sequence of str, optional
        Names of contenders or rules; "all" for everyone, but for shapes of surrogates other
        than the usual one, which have to be named.
    """
    classic = [c for c in table.CONTENDERS if task.name in c.tasks]
    if wanted is None:
        return classic if task.classic else [c for c in everyone() if not c.asked]
    others = [*classic, *(c for c in everyone() if c not in classic)]
    return [
        c
        for c in others
        if c.name in wanted or (not c.asked and ("all" in wanted or c.rule in wanted))
    ]


def contender(name: str, network: str) -> Contender:
    """Return the contender of that name on that kind of units."""
    candidates = (*table.CONTENDERS, *everyone())
    for candidate in candidates:
        if (candidate.name, candidate.network) == (name, network):
            return candidate
    _check.choice("contender.name", name, sorted({c.name for c in candidates}))
    raise ParameterError(f"contender.network: {name!r} does not run on {network!r} units")


def note(name: str) -> Note | None:
    """Return what the report says of a contender: for a rule what its docstring says."""
    if name in table.NOTES:
        return table.NOTES[name]
    kind = rules().get(name)
    if kind is not None:
        return _from_docstring(kind.__doc__ or "")
    found = next((c for c in everyone() if c.name == name), None)
    if found is None:
        return None
    kind = rules().get(found.rule)
    return _from_docstring(kind.__doc__ or "") if kind else Note(found.about, "–", "baseline")


def _of(name: str, rule: type) -> Iterator[Contender]:
    """Yield the entries of one rule."""
    said: Mapping[str, Any] = getattr(rule, "contender", {})
    found = said.get("networks") or _accepted(rule)
    if said.get("alone", True):
        for key in found:
            yield _entry(name, name, rule, KINDS[key], {}, said)
    for extra, options in {**_VARIANTS.get(name, {}), **said.get("variants", {})}.items():
        options = dict(options)
        for key in options.pop("networks", found):
            yield _entry(f"{name}, {extra}", name, rule, KINDS[key], options, said)


def _entry(
    title: str, name: str, rule: type, kind: Kind, options: Mapping[str, Any], said: Mapping
) -> Contender:
    fields = {field.name: field for field in dataclasses.fields(rule)}
    space = _space(fields, kind, said.get("search", {}), options)
    return Contender(
        title, kind.network, "gradient" if "optimiser" in fields else "local", name, (), space,
        kind.layers, _build(rule, kind, fields, options), asked="shape" in options,
    )  # fmt: skip


def _accepted(rule: Callable[[], Any]) -> list[str]:
    """Return the deepest kind of network that a rule accepts, for each kind of units."""
    found: dict[str, str] = {}
    for key, kind in KINDS.items():
        if kind.network in found or not kind.tried:
            continue
        try:
            rule().init(small(kind))
        except SpikesimError:
            continue
        found[kind.network] = key
    return list(found.values())


def _space(
    fields: Mapping[str, Any],
    kind: Kind,
    search: Mapping[str, tuple[float, float]],
    options: Mapping[str, Any],
) -> dict[str, tuple[float, float]]:
    """Return three settings with their ranges: the rule's own, the gain, and what is left."""
    space = dict(search)
    if not space:
        if "optimiser" in fields:
            space["learning_rate"] = _ADAM_RATE
        elif "learning_rate" in fields:
            space["learning_rate"] = _OWN_RATE
        else:
            first = next(f for f in fields.values() if isinstance(f.default, float) and f.default)
            space[first.name] = (first.default / 10.0, 10.0 * first.default)
    if len(space) < 3:
        space["gain"] = _GAIN[kind.network]
    can = {
        "margin": "margin" in fields,
        "slope": "surrogate" in fields and kind.network == "LIF" and "surrogate" not in options,
        "steepness": kind.steep,
        "bias_sd": True,
    }
    for name, range_ in _MORE.items():
        if len(space) < 3 and can[name] and name not in options:
            space[name] = range_
    return space


def _build(
    rule: Callable[..., Any], kind: Kind, fields: Mapping[str, Any], options: Mapping[str, Any]
) -> Build:
    def build(size: Problem, hidden: int, settings: Settings, rng: Any) -> Plan:
        given: dict[str, Any] = {k: value for k, value in settings.items() if k in fields}
        given |= {name: value for name, value in options.items() if name != "shape"}
        if "optimiser" in fields:
            given["optimiser"] = Adam(settings["learning_rate"])
        if "slope" in settings and "surrogate" in fields:
            given["surrogate"] = options.get("shape", FastSigmoid)(settings["slope"])
        if "seed" in fields:
            # The rule's own draws are the same for all who draw; weights have another stream.
            given["seed"] = int(rng.generate_state(1)[0])
        network, encoder = kind.make(size, hidden, settings, rng)
        scaling = kind.scaling if kind.network == "rate" and size.task.scaled else ""
        if kind.finish is not None:
            scaling = kind.scaling
        return Plan(network, rule(**given), encoder, scaling, size.task.batch_size, kind.finish)

    return build


def _from_docstring(text: str) -> Note:
    """Read the first sentence, what a synapse must know, and the sources of a rule."""
    body = inspect.cleandoc(text)
    what = body.split("\n\n")[0]
    knows = re.search(r"\*Each synapse must know\*(.*?)(?:[.;]|\n\n)", body, re.DOTALL)
    source = re.search(r"^References\n-+\n(.*)", body, re.DOTALL | re.MULTILINE)
    return Note(
        _plain(what), _plain(knows[1]) if knows else "–",
        _first_source(_plain(source[1])) if source else "–",
    )  # fmt: skip


def _first_source(text: str) -> str:
    """Return authors and year of the first of several sources."""
    found = re.match(r".*?\b\d{4}\b", text)
    return found[0] if found else text


def _plain(text: str) -> str:
    text = re.sub(r":math:`[^`]*`", "", text)
    text = re.sub(r":\w+:`~?([\w.]+)`", lambda match: match[1].split(".")[-1], text)
    return " ".join(text.replace("``", "").split()).replace(" ,", ",")
