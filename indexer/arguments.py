"""Arguments of the Python API: each is checked before any work is done, and a bad one is named."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from numbers import Real
from pathlib import Path

from dedup.errors import UsageError
from dedup.matching.matcher import Matcher
from dedup.model import load_model

Label = str | int
"""The name of a column; a number where the columns of a data frame are numbered."""
TextColumns = Label | Sequence[Label] | None
"""A column, several to be joined with a space, or None: the column is found by its name."""
ModelOption = Matcher | str | os.PathLike[str] | None
"""A model, the directory of one, or None: the model that ships with neardup."""


@cache
def _default_model() -> Matcher:
    return load_model()


def model_of(model: ModelOption) -> Matcher:
    """Return the requested model. Raises ``VersionMismatch`` if a directory holds none."""
    if model is None:
        return _default_model()
    return load_model(model) if isinstance(model, str | os.PathLike) else model


def probability_of(min_probability: float | None, default: float) -> float:
    """Return ``min_probability``, or the default if it is None. Raises ``UsageError`` if it is not from 0 to 1."""
    return default if min_probability is None else share_of(min_probability, "min_probability")


def share_of(value: float, name: str) -> float:
    """Return a number from 0 to 1. Raises ``UsageError`` if it is not one; ``name`` is that of the argument."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value <= 1:
        raise UsageError(f"{name} is {value!r}; give a number from 0 to 1.")
    return float(value)


def limit_of(limit: int) -> int:
    """Return ``limit``. Raises ``UsageError`` if it is not a whole number of at least 1."""
    try:
        number = operator.index(limit)
    except TypeError:
        number = 0
    if number < 1:
        raise UsageError(f"limit is {limit!r}; give a whole number of at least 1.")
    return number


def text_columns_of(text: TextColumns) -> list[str]:
    """Return the names of the text columns; none if they are to be found. Raises ``UsageError``."""
    labels = [] if text is None else [text] if isinstance(text, str | int) else text
    if not isinstance(labels, Sequence):
        raise UsageError(f"text is {text!r}; give the name of a column, or a list of names.")
    return [_label(label, "text") for label in labels]


def id_column_of(id: Label | None) -> str | None:
    """Return the name of the id column; None if it is to be found. Raises ``UsageError``."""
    return None if id is None else _label(id, "id")


def source_of(source: str) -> str:
    """Return the name of a source. Raises ``UsageError`` if it is not a string that can be stored."""
    if (
        not isinstance(source, str)
        or not source
        or "\0" in source
        or source != source.encode(errors="replace").decode()
    ):
        raise UsageError(f"source is {source!r}; give a text that is not empty and can be stored as UTF-8.")
    return source


def path_of(path: object, name: str, wanted: str = "a directory") -> Path:
    """Return a path. Raises ``UsageError`` if it cannot be one; ``wanted`` says what to give."""
    place = os.fspath(path) if isinstance(path, str | os.PathLike) else b""
    with suppress(UnicodeEncodeError):  # half of a surrogate pair
        if isinstance(place, str) and place and b"\0" not in os.fsencode(place):
            return Path(place)
    raise UsageError(f"{name} is {_shown(path)}; give {wanted}.")


def text_of(text: object, name: str) -> str:
    """Return a text. Raises ``UsageError`` if it is anything else."""
    if not isinstance(text, str):
        raise UsageError(f"{name} is {_shown(text)}; give a str.")
    return text


def texts_of(texts: Iterable[object], name: str) -> list[str]:
    """Return a list of texts. Raises ``UsageError`` if it is not a list of strings."""
    is_table = isinstance(texts, str | bytes | Mapping) or hasattr(texts, "columns")
    if is_table or not isinstance(texts, Iterable):
        raise UsageError(f"{name} is {_shown(texts)}; give a list of str, or one column of a table.")
    return [text_of(text, f"{name}[{place}]") for place, text in enumerate(texts)]


def _label(label: object, name: str) -> str:
    if isinstance(label, bool) or not isinstance(label, str | int):
        raise UsageError(f"{name} is {label!r}; give the name of a column.")
    return str(label)


def _shown(value: object) -> str:
    text = repr(value)
    return f"a {type(value).__name__}" if "\n" in text or len(text) > 60 else text
