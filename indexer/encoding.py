"""Texts to vectors beside other work: many at once are encoded in several processes.

In threads of this process their share of Python would keep the database waiting, row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Self

import numpy as np

from dedup import threads
from dedup.encode import Encoder
from dedup.errors import VersionMismatch
from dedup.model import Model
from dedup.processes import Processes
from indexer.store import Codes

_FEW = 5_000
"""So many texts are encoded before other processes have started."""


class Encoding:
    """Encodes with a model; a context manager, at whose end what was begun is given up."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._workers = threads.count()
        self._processes: Processes | None = None
        self._beside = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._processes:
            self._processes.close()
        self._beside.shutdown()
        if self._processes:
            self._processes.close()  # those that it was just starting

    def begin(self, normals: list[str]) -> Callable[[], Codes]:
        """Begin to encode normal forms (n); what is returned waits for their vectors (n, d) int8.

        It raises ``VersionMismatch`` as ``encode`` does. They are the same, whichever way they are encoded.
        """
        if len(normals) < _FEW or self._workers == 1:
            return partial(encode, self._model, normals)
        self._processes = self._processes or Processes(self._workers, self._model.encoder)
        return self._beside.submit(self._in_processes, self._processes, normals).result

    def _in_processes(self, processes: Processes, normals: list[str]) -> Codes:
        shares = [normals[start :: self._workers] for start in range(self._workers)]
        codes = np.empty((len(normals), self._model.dimension), np.int8)
        for start, part in enumerate(processes.map(_encode, ((share,) for share in shares))):
            codes[start :: self._workers] = part
        return _sound(codes, normals)


def encode(model: Model, normals: Sequence[str]) -> Codes:
    """Return the vectors (n, d) int8 of normal forms.

    Raises:
        VersionMismatch: one of them has none.

    """
    return _sound(_encode(model.encoder, normals), normals)


def _encode(encoder: Encoder, normals: Sequence[str]) -> Codes:
    return encoder.encode(normals)


def _sound(codes: Codes, normals: Sequence[str]) -> Codes:
    empty = np.flatnonzero(~codes.any(axis=1))
    if len(empty):
        raise VersionMismatch(
            f"The model has no vector for the text {normals[int(empty[0])]!r}; "
            "use the model that ships with neardup, or train anew with `dedup train`."
        )
    return codes
