"""Document frequencies of words in a store, so that words rare in this corpus weigh more in comparisons.

They are counted after a job that changes the number of texts by more than a tenth, on an evenly spaced sample of at
most 100,000 texts, and kept in ``store_meta`` under ``words``. They are a cache: without them a model uses only its
own table.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from dedup.matching.matcher import Matcher
from dedup.runtime.progress import Progress, no_progress
from dedup.text.word_weights import CORPUS_SAMPLE, LEAST_CORPUS, count_words
from indexer.store import schema
from indexer.store.store import Store

_KEY = "words"
_MIN_COUNT = 2  # a word seen once is as rare as an unseen one
_MAX_CHANGE = 0.1
_TEXTS_PER_STEP = 1_000
"""Texts between two progress reports."""

_log = logging.getLogger(__name__)


def refresh_word_counts(store: Store, progress: Progress = no_progress) -> None:
    """Count the words of the store's texts again if there are enough texts and their number has changed enough.

    Stages reported to ``progress``: ``words``, in texts.
    """
    (n,) = store.read(select(func.count()).select_from(schema.text))[0]
    counted = _read(store).get("texts", 0)
    if n < LEAST_CORPUS or abs(n - counted) <= _MAX_CHANGE * counted:
        return
    progress("words", 0, None)
    column = schema.text.c
    step = -(-n // CORPUS_SAMPLE)
    normals = [normal for (normal,) in store.read(select(column.normal).where(column.text_id % step == 0))]
    counts, n_sample = count_words(_with_progress(normals, progress), least=_MIN_COUNT)
    value = json.dumps({"texts": n, "sample": n_sample, "counts": counts}, ensure_ascii=False)
    meta = schema.store_meta

    def work(connection: Connection) -> None:
        connection.execute(delete(meta).where(meta.c.key == _KEY))
        connection.execute(insert(meta).values(key=_KEY, value=value))

    store.write(work)


def _with_progress(normals: Sequence[str], progress: Progress) -> Iterator[str]:
    """Yield the texts and report how many were consumed."""
    for done, normal in enumerate(normals, 1):
        yield normal
        if not done % _TEXTS_PER_STEP or done == len(normals):
            progress("words", done, len(normals))


def model_with_corpus(store: Store, model: Matcher) -> Matcher:
    """Return ``model`` with the word counts of the store added to its own."""
    words = _read(store)
    return model.with_corpus(words["counts"], words["sample"]) if words else model


def _read(store: Store) -> dict[str, Any]:
    """Return the stored counts; log a warning and return nothing if they are damaged."""
    stored = store.meta(_KEY)
    try:
        words: dict[str, Any] = json.loads(stored or "{}")
        if words and not (words["texts"] and words["sample"] and isinstance(words["counts"], dict)):
            raise ValueError("counts are missing")
    except (ValueError, KeyError, TypeError) as error:
        _log.warning("The word counts of this index are damaged (%s); indexing an input rebuilds them.", error)
        return {}
    return words
