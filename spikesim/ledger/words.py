"""How numbers and verdicts are written, on the page as in the docs."""

from __future__ import annotations

import math

from spikesim.ledger.rows import Row

__all__ = ["SYMBOLS", "interval", "measured", "number", "value"]

SYMBOLS = {
    "holds": "✓",
    "holds if": "◐",
    "fails": "✗",
    "held": "✓",
    "held in part": "◐",
    "failed": "✗",
    "open": "○",
}

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(x: float, decimals: int | None = None) -> str:
    """Return a number as people write it: four significant digits, or so many decimals.

    Parameters
    ----------
    x : float
        The number.
    decimals : int, optional
        Digits after the point.
    """
    if x == 0:
        return "0"
    if not 1e-4 <= abs(x) < 1e7:
        mantissa, exponent = f"{x:.2e}".split("e")
        return f"{float(mantissa):g} · 10{str(int(exponent)).translate(_SUPERSCRIPTS)}".replace(
            "-", "−"
        )
    if decimals is not None:
        text = f"{x:.{decimals}f}"
    elif x == round(x) or abs(x) >= 1000:
        text = f"{x:.0f}"
    else:
        text = f"{x:.4g}"
    return text.replace("-", "−")


def value(row: Row) -> str:
    """Return the number of a row with its unit, as exact as its interval allows."""
    return f"{number(row.value, _decimals(row))} {row.unit}".strip()


def interval(row: Row) -> str:
    """Return the interval of a row and its kind; empty for a number without spread."""
    if row.interval_kind == "exact":
        return ""
    low, high = row.interval or (row.value, row.value)
    decimals = _decimals(row)
    return f"{number(low, decimals)} to {number(high, decimals)}, {row.interval_kind}"


def measured(row: Row) -> str:
    """Return number, unit and interval of a row."""
    spread = interval(row)
    return f"{value(row)} ({spread})" if spread else value(row)


def _decimals(row: Row) -> int | None:
    """Return how many decimals give the width of the interval two digits."""
    low, high = row.interval or (row.value, row.value)
    if low == high:
        return None
    return min(8, max(0, 1 - math.floor(math.log10(high - low))))
