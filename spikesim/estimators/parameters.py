"""Parameters of an estimator that are dataclasses, with fields that can be searched."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from spikesim import _check
from spikesim.errors import ParameterError

__all__ = ["NestedParameters", "checked_data"]


def checked_data(estimator: Any, X: Any, y: Any = "no_validation", **keywords: Any) -> Any:
    """Do what scikit-learn's `validate_data` does; masked values, which it reads, are refused."""
    for name, values in (("X", X), ("y", y)):
        _check._refuse_masked(f"{type(estimator).__name__}: {name}", values)
    # Its sum over huge numbers, a test for infinite ones, may overflow.
    with np.errstate(over="ignore", invalid="ignore"):
        return validate_data(estimator, X, y, dtype=np.float64, **keywords)


class NestedParameters(BaseEstimator):
    """Offers the fields of a parameter that is a dataclass as ``parameter__field``.

    Encoders, rules, neurons and synapses are frozen; to set a field puts another object in the
    place of the parameter.
    """

    def _default_of(self, name: str) -> Any:
        """Return what None stands for in the parameter `name`, None if it has no fields."""
        return None

    def _value_of(self, name: str) -> Any:
        value = getattr(self, name)
        return self._default_of(name) if value is None else value

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name.

        Parameters
        ----------
        deep : bool, default True
            Include the fields of parameters that have some, and theirs.

        Returns
        -------
        dict of str to object
        """
        params = super().get_params(deep=deep)
        if deep:
            for name in list(params):
                if "__" not in name:
                    _add_fields(name, self._value_of(name), params)
        return params

    def set_params(self, **params: Any) -> Any:
        """Set parameters, and fields of parameters, by name.

        Parameters
        ----------
        **params : object
            As :meth:`get_params` has them.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A name that there is not; a value that its new owner refuses.
        """
        whole = {name: value for name, value in params.items() if "__" not in name}
        super().set_params(**whole)
        fields: dict[str, dict[str, Any]] = {}
        for name, value in params.items():
            owner, separator, field = name.partition("__")
            if separator:
                _check.choice(f"{type(self).__name__}.set_params", owner, self._get_param_names())
                fields.setdefault(owner, {})[field] = value
        for owner, values in fields.items():
            current = self._value_of(owner)
            name = f"{type(self).__name__}.{owner}"
            setattr(self, owner, _replaced(name, current, values))
        return self


def _is_dataclass(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _add_fields(name: str, value: Any, params: dict[str, Any]) -> None:
    if _is_dataclass(value):
        for field in dataclasses.fields(value):
            if field.init:
                inner = getattr(value, field.name)
                params[f"{name}__{field.name}"] = inner
                _add_fields(f"{name}__{field.name}", inner, params)


def _replaced(name: str, value: Any, changes: dict[str, Any]) -> Any:
    """Return a dataclass with fields replaced, those of its fields by their path."""
    if not _is_dataclass(value):
        raise ParameterError(f"{name} is {value!r}, which has no parameters of its own to set")
    known = [field.name for field in dataclasses.fields(value) if field.init]
    own = {field: new for field, new in changes.items() if "__" not in field}
    inner: dict[str, dict[str, Any]] = {}
    for path, new in changes.items():
        field, separator, rest = path.partition("__")
        _check.choice(f"{name}, a parameter to set", field, known)
        if separator:
            inner.setdefault(field, {})[rest] = new
    for field, values in inner.items():
        own[field] = _replaced(f"{name}.{field}", own.get(field, getattr(value, field)), values)
    return dataclasses.replace(value, **own)
