"""Settings of a part: fields with a default and the values that are allowed, checked in one place."""

from __future__ import annotations

from dataclasses import Field, field, fields
from typing import Any, TypeVar

from dedup.errors import UsageError

T = TypeVar("T")


def whole(default: int, least: int, most: int) -> Any:  # noqa: ANN401 - as dataclasses.field
    """Return a field for a whole number from ``least`` to ``most``."""
    return field(default=default, metadata={"kind": int, "least": least, "most": most})


def real(default: float, least: float, most: float) -> Any:  # noqa: ANN401
    """Return a field for a number from ``least`` to ``most``."""
    return field(default=default, metadata={"kind": float, "least": least, "most": most})


def choice(default: str, *others: str) -> Any:  # noqa: ANN401
    """Return a field for one of several words."""
    return field(default=default, metadata={"kind": str, "words": (default, *others)})


def text(default: str = "") -> Any:  # noqa: ANN401
    """Return a field for any text, such as a path."""
    return field(default=default, metadata={"kind": str})


def flag(default: bool) -> Any:  # noqa: ANN401
    """Return a field that is true or false."""
    return field(default=default, metadata={"kind": bool})


def whole_list(*default: int, least: int, most: int) -> Any:  # noqa: ANN401
    """Return a field for a list of whole numbers."""
    return field(default=default, metadata={"kind": list, "least": least, "most": most})


def checked(kind: type[T], values: dict[str, Any], where: str) -> T:
    """Return an instance of a dataclass of settings from ``values``, whose names are known to be its fields.

    Raises:
        UsageError: a value is of another type, or not one that is allowed.
    """
    known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: _value(known[name], value, f"{where}.{name}") for name, value in values.items()})


def _value(one: Field[Any], value: Any, name: str) -> Any:  # noqa: ANN401 - what TOML holds
    wanted, meta = one.metadata["kind"], one.metadata
    if wanted is float and type(value) is int:
        value = float(value)
    if wanted is list:
        if type(value) is not list or not value or any(type(item) is not int for item in value):
            raise UsageError(f"{name} is {value!r}; give a list of whole numbers, such as {[*_default(one)]!r}.")
    elif type(value) is not wanted:
        words = {int: "a whole number", float: "a number", str: "a text in quotes", bool: "true or false"}
        raise UsageError(f"{name} is {value!r}; give {words[wanted]}, such as {_toml(_default(one))}.")
    if "words" in meta and value not in meta["words"]:
        raise UsageError(f"{name} is {value!r}; give one of {', '.join(meta['words'])}.")
    numbers = value if wanted is list else [value]
    if "least" in meta and not all(meta["least"] <= number <= meta["most"] for number in numbers):
        raise UsageError(
            f"{name} is {value!r}; give {'values' if wanted is list else 'a value'} from "
            f"{meta['least']:g} to {meta['most']:g}."
        )
    return tuple(value) if wanted is list else value


def _default(one: Field[Any]) -> Any:  # noqa: ANN401
    return one.default


def _toml(value: Any) -> str:  # noqa: ANN401
    return str(value).lower() if type(value) is bool else f'"{value}"' if type(value) is str else str(value)
