"""A set of 128-bit keys in 16 bytes each, for finding repeated ids."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

KEY_BYTES = 16

Keys = NDArray[Any]
"""Keys (n,) of dtype ``S16``."""


def keys_of(values: Iterable[str]) -> Keys:
    """Return the BLAKE2b keys of strings; a billion strings collide with a probability of about 1e-21."""
    digests = b"".join(
        blake2b(value.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest() for value in values
    )
    return np.frombuffer(digests, f"S{KEY_BYTES}")


class KeySet:
    """A set of keys, held as sorted runs of decreasing size that are merged: n keys take O(n log n) time."""

    def __init__(self) -> None:
        self._runs: list[Keys] = []

    def add(self, keys: Keys) -> NDArray[np.bool_]:
        """Add ``keys`` (n,) and return for each whether it was in the set before or occurs earlier in ``keys``."""
        known = self.contains(keys)
        order = np.argsort(keys, kind="stable")
        known[order[1:]] |= keys[order[1:]] == keys[order[:-1]]
        self._runs.append(np.sort(keys[~known]))
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            last = self._runs.pop()
            self._runs[-1] = np.sort(np.concatenate([self._runs[-1], last]), kind="stable")
        return known

    def contains(self, keys: Keys) -> NDArray[np.bool_]:
        """Return for each of ``keys`` (n,) whether it is in the set."""
        found = np.zeros(len(keys), np.bool_)
        for run in self._runs:
            if len(run):
                places = np.minimum(np.searchsorted(run, keys), len(run) - 1)
                found |= run[places] == keys
        return found
