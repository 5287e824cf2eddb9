"""How common each word is in the corpus of a store, so that what is rare there weighs much in a comparison.

Counted after a job that changed the number of texts by a tenth, in at most 100,000 texts evenly spread over the
store, and kept in ``store_meta`` under ``words``. A cache: without it a model knows its own table alone.
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
_LEAST = 2  # a word seen once is as rare as one never seen
_LARGEST_CHANGE = 0.1
_TEXTS = 1_000
"""Texts between two steps of progress."""

_log = logging.getLogger(__name__)


def keep_words(store: Store, progress: Progress = no_progress) -> None:
    """Count the words of the store's texts, if there are many and their number has changed much.

    ``progress`` hears of ``words``: of how many texts they are counted.
    """
    (n,) = store.read(select(func.count()).select_from(schema.text))[0]
    counted = _read(store).get("texts", 0)
    if n < LEAST_CORPUS or abs(n - counted) <= _LARGEST_CHANGE * counted:
        return
    progress("words", 0, None)
    column = schema.text.c
    step = -(-n // CORPUS_SAMPLE)
    normals = [normal for (normal,) in store.read(select(column.normal).where(column.text_id % step == 0))]
    counts, n_sample = count_words(_told(normals, progress), least=_LEAST)
    value = json.dumps({"texts": n, "sample": n_sample, "counts": counts}, ensure_ascii=False)
    meta = schema.store_meta

    def work(connection: Connection) -> None:
        connection.execute(delete(meta).where(meta.c.key == _KEY))
        connection.execute(insert(meta).values(key=_KEY, value=value))

    store.write(work)


def _told(normals: Sequence[str], progress: Progress) -> Iterator[str]:
    """Yield the normal forms, and tell how many are done."""
    for done, normal in enumerate(normals, 1):
        yield normal
        if not done % _TEXTS or done == len(normals):
            progress("words", done, len(normals))


def model_of(store: Store, model: Matcher) -> Matcher:
    """Return ``model`` with the words of the store counted in."""
    words = _read(store)
    return model.with_corpus(words["counts"], words["sample"]) if words else model


def _read(store: Store) -> dict[str, Any]:
    """Return what is kept; nothing, with a warning, if it is damaged."""
    kept = store.meta(_KEY)
    try:
        words: dict[str, Any] = json.loads(kept or "{}")
        if words and not (words["texts"] and words["sample"] and isinstance(words["counts"], dict)):
            raise ValueError("counts are missing")
    except (ValueError, KeyError, TypeError) as error:
        _log.warning("The counts of words cannot be read (%s); the next `dedup index` makes them anew.", error)
        return {}
    return words
