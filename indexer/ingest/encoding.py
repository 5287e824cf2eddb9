"""Encode texts into vectors in the background, many of them in several processes.

Threads of this process would hold the interpreter lock and slow down the writes to the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Self

import numpy as np
from sqlalchemy import Table

from dedup.encoder.onnx import Encoder
from dedup.errors import VersionMismatch
from dedup.matching.matcher import Matcher
from dedup.runtime import threads
from dedup.runtime.processes import Processes
from dedup.runtime.progress import Progress, no_progress
from indexer.store import schema
from indexer.store.store import Codes, Store

_BATCH_TEXTS = 5_000
"""Texts encoded together, whatever the number of threads. It must not vary: of a million vectors, one or two differ by
one in one value if other texts are in their batch."""


TEXTS_AT_ONCE = 20_000
"""Texts of a store that are encoded and written in one transaction."""


class Encoding:
    """Encodes texts with a model; a context manager that abandons unfinished work on exit."""

    def __init__(self, model: Matcher) -> None:
        self._model = model
        self._workers = threads.count()
        self._processes: Processes | None = None
        self._background = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._processes:
            self._processes.close()
        self._background.shutdown()
        if self._processes:
            self._processes.close()  # those started meanwhile

    def begin(self, normals: list[str]) -> Callable[[], Codes]:
        """Start encoding n texts and return a function that waits for their vectors (n, d) int8.

        The function raises ``VersionMismatch`` as ``encode`` does. The number of processes changes no vector.
        """
        if len(normals) <= _BATCH_TEXTS or self._workers == 1:
            return partial(encode, self._model, normals)
        self._processes = self._processes or Processes(self._workers, self._model.encoder)
        return self._background.submit(self._in_processes, self._processes, normals).result

    def _in_processes(self, processes: Processes, normals: list[str]) -> Codes:
        parts = ((part,) for part in _parts(normals))
        return _checked(np.concatenate(list(processes.map(_encode, parts))), normals)


def encode(model: Matcher, normals: Sequence[str]) -> Codes:
    """Encode n > 0 texts into vectors (n, d) int8.

    Raises:
        VersionMismatch: The model has no vector for one of the texts.

    """
    return _checked(np.concatenate([_encode(model.encoder, part) for part in _parts(normals)]), normals)


def encode_texts(
    store: Store,
    model: Matcher,
    progress: Progress = no_progress,
    *,
    texts_at_once: int = TEXTS_AT_ONCE,
    table: Table = schema.text_vector,
) -> int:
    """Encode every text of a store that has no vector of this model in ``table``, and return their number.

    Stages reported to ``progress``: ``texts``.
    """
    total = store.counts().texts - store.count_vectors(model.model_id, table=table)
    done = after = 0
    with Encoding(model) as encoding:
        while done < total:
            ids, normals = store.texts_without_vectors(model.model_id, after, texts_at_once, table)
            if not normals:
                break
            store.write_vectors(model.model_id, ids, encoding.begin(normals)(), table)
            after = int(ids[-1])
            done += len(ids)
            progress("texts", done, total)
    return done


def _parts(normals: Sequence[str]) -> Iterator[Sequence[str]]:
    return (normals[start : start + _BATCH_TEXTS] for start in range(0, len(normals), _BATCH_TEXTS))


def _encode(encoder: Encoder, normals: Sequence[str]) -> Codes:
    return encoder.encode(normals)


def _checked(codes: Codes, normals: Sequence[str]) -> Codes:
    empty = np.flatnonzero(~codes.any(axis=1))
    if len(empty):
        raise VersionMismatch(
            f"The model has no vector for the text {normals[int(empty[0])]!r}. "
            "Use the model that ships with neardup, or train a new one with `dedup train`."
        )
    return codes
