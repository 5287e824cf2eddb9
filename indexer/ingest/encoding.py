"""Texts to vectors beside other work: many at once are encoded in several processes.

In threads of this process their share of Python would keep the database waiting, row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Self

import numpy as np

from dedup.encoder.onnx import Encoder
from dedup.errors import VersionMismatch
from dedup.matching.matcher import Matcher
from dedup.runtime import threads
from dedup.runtime.processes import Processes
from indexer.store.store import Codes

_AT_ONCE = 5_000
"""Texts that are encoded together, however many threads there are: of a million codes, one or two differ by one in
one of their values if other texts are beside them."""


class Encoding:
    """Encodes with a model; a context manager, at whose end what was begun is given up."""

    def __init__(self, model: Matcher) -> None:
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
        if len(normals) <= _AT_ONCE or self._workers == 1:
            return partial(encode, self._model, normals)
        self._processes = self._processes or Processes(self._workers, self._model.encoder)
        return self._beside.submit(self._in_processes, self._processes, normals).result

    def _in_processes(self, processes: Processes, normals: list[str]) -> Codes:
        parts = ((part,) for part in _parts(normals))
        return _sound(np.concatenate(list(processes.map(_encode, parts))), normals)


def encode(model: Matcher, normals: Sequence[str]) -> Codes:
    """Return the vectors (n, d) int8 of normal forms (n), n > 0.

    Raises:
        VersionMismatch: one of them has none.

    """
    return _sound(np.concatenate([_encode(model.encoder, part) for part in _parts(normals)]), normals)


def _parts(normals: Sequence[str]) -> Iterator[Sequence[str]]:
    return (normals[start : start + _AT_ONCE] for start in range(0, len(normals), _AT_ONCE))


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
