"""Arrays of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Strings = NDArray[Any]
"""Texts (n,) of dtype ``StringDType``, which takes half the memory of objects."""


def strings(texts: Sequence[str] | Strings) -> Strings:
    """Return texts (n,) as an array; half of a surrogate pair becomes ``?``."""
    try:
        return np.asarray(texts, np.dtypes.StringDType())
    except UnicodeEncodeError:
        return strings([text.encode(errors="replace").decode() for text in texts])
