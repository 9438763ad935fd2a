"""Columns as a data frame, for who has pandas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spikesim.errors import MissingExtraError

__all__ = ["data_frame"]


def data_frame(whose: str, columns: Mapping[str, np.ndarray]) -> Any:
    """Return a pandas data frame of `columns`; `whose` is the class that it belongs to.

    Raises
    ------
    MissingExtraError
        pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise MissingExtraError(
            f"{whose}.to_dataframe needs pandas: pip install 'spikesim[pandas]' "
            "(to_columns works without)"
        ) from None
    return pandas.DataFrame(columns)
