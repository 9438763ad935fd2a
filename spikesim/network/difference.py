"""In which parts two networks differ, in words: of one there may be no more than its parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from spikesim.network.digest import digest_of
from spikesim.network.network import Network

__all__ = ["difference", "parts_of"]

_MOST_SAID = 3
_LONGEST_SHOWN = 60
_DIGEST = "digest "


def parts_of(network: Network) -> dict[str, dict[str, str]]:
    """Return every value of a network, as text, by the part that has it and by name.

    Numbers and text stand for themselves, anything else, as an array, is a digest. It is made once
    for a network: digests of large arrays take time.
    """
    if "_parts" not in network.__dict__:
        object.__setattr__(network, "_parts", _made(network))
    return network.__dict__["_parts"]


def _made(network: Network) -> dict[str, dict[str, str]]:
    parts: dict[str, dict[str, str]] = {}
    for population in network.populations:
        values = {"n": population.n, "positions": population.positions}
        parts[f"population {population.name!r}"] = _texts(population.model) | {
            f"Population.{name}": _text(value) for name, value in values.items()
        }
    for index, item in enumerate(network.projections):
        label = f"projection {index} from {item.source!r} to {item.target!r}"
        parts[label] = _texts(item)
    for index, item in enumerate(network.inputs):
        parts[f"input {index} into {item.target!r}"] = _texts(item)
    return parts


def difference(there: Mapping[str, Mapping[str, str]], network: Network) -> str:
    """Say in which parts the network of a file differs from `network`.

    Parameters
    ----------
    there : mapping
        What :func:`parts_of` returned of the network of the file.
    network : Network
        The one given.

    Returns
    -------
    str
        Some differences in words, "" where none is found or nothing is known.
    """
    if not there:
        return ""
    found = list(_differences(there, parts_of(network)))
    more = len(found) - _MOST_SAID
    return "; ".join(found[:_MOST_SAID]) + (f"; and {more} more" if more > 0 else "")


def _differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[str]:
    for part in there:
        if part not in here:
            yield f"it has a {part}, the network given has none"
    for part, values in here.items():
        if part not in there:
            yield f"it has no {part}, the network given has one"
            continue
        for name, value in values.items():
            own = there[part].get(name)
            if own is None or own == value:
                continue
            if _DIGEST in own or _DIGEST in value:
                yield f"{name} of {part} has other values"
            else:
                yield f"{name} of {part} is {own} in it and {value} in the network given"
        if set(values) != set(there[part]):
            yield f"{part} is of another kind"
    if list(there) != list(here) and set(there) == set(here):
        yield "its populations are in another order"


def _texts(item: Any) -> dict[str, str]:
    """Return the values of a dataclass by qualified name."""
    kind = type(item).__name__
    return {f"{kind}.{field.name}": _text(getattr(item, field.name)) for field in fields(item)}


def _text(value: Any) -> str:
    plain = _is_plain(value)
    if is_dataclass(value) and not isinstance(value, type):
        plain = all(_is_plain(getattr(value, field.name)) for field in fields(value))
    text = repr(value) if plain else ""
    return text if plain and len(text) <= _LONGEST_SHOWN else f"{_DIGEST}{digest_of(value)[:32]}"


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))
