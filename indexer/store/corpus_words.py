"""Of which kind the texts of a store are, and what they say about names (``dedup.text.corpus``).

Words that are common in the store weigh less.

They are counted after a job that changes the number of texts by more than a tenth, on an evenly spaced sample of at
most 100,000 texts, and kept in ``store_meta`` under ``corpus``. They are a cache: without them a model uses only its
own table.
"""

from __future__ import annotations

import json
import logging

from sqlalchemy import Connection, delete, func, insert, select

from dedup.evidence.kinds import KINDS
from dedup.matching.matcher import Matcher
from dedup.runtime.progress import Progress, no_progress
from dedup.text.corpus import SMALLEST, Corpus, describe_sample, sampling_step
from indexer.store import schema
from indexer.store.integrity import settings
from indexer.store.integrity.values import damaged
from indexer.store.store import Store

_MAX_CHANGE = 0.1
_log = logging.getLogger(__name__)


def refresh_word_counts(store: Store, progress: Progress = no_progress) -> None:
    """Count the words of the store's texts again if there are enough texts and their number has changed enough.

    Stages reported to ``progress``: ``words``, in texts.
    """
    (n,) = store.read(select(func.count()).select_from(schema.text))[0]
    counted, _ = _read(store)
    if n < SMALLEST or abs(n - counted) <= _MAX_CHANGE * counted:
        return
    progress("words", 0, None)
    column = schema.text.c
    step = sampling_step(n)
    normals = [normal for (normal,) in store.read(select(column.normal).where(column.text_id % step == 0))]
    words_of = KINDS[kind_of_store(store)].words_of
    corpus = describe_sample(normals, lambda done, total: progress("words", done, total), words_of)
    value = json.dumps({"texts": n, "corpus": corpus.to_json()}, ensure_ascii=False)
    meta = schema.store_meta

    def work(connection: Connection) -> None:
        connection.execute(delete(meta).where(meta.c.key == settings.CORPUS))
        connection.execute(insert(meta).values(key=settings.CORPUS, value=value))

    store.write(work)


def kinds_of_sources(store: Store) -> dict[str, str]:
    """Return the kind of the texts of each source that has records, by its name.

    Raises:
        CorruptStore: one is no kind.
    """
    meta, source, record = schema.store_meta.c, schema.source.c, schema.record.c
    chosen = dict(
        tuple(row) for row in store.read(select(meta.key, meta.value).where(meta.key.startswith(settings.KIND)))
    )
    for key, kind in chosen.items():
        if kind not in settings.TEXT_KINDS:
            raise damaged(f"Table store_meta has {kind!r} under {key!r}, which is no kind of texts.")
    has_records = select(record.record_id).where(record.source_id == source.source_id).exists()
    return {
        name: chosen.get(f"{settings.KIND}{source_id}", settings.TEXT_KINDS[0])
        for source_id, name in store.read(select(source.source_id, source.name).where(has_records))
    }


def kind_of_store(store: Store) -> str:
    """Return the kind of the texts of a store, which all its sources have in common."""
    return next(iter(kinds_of_sources(store).values()), settings.TEXT_KINDS[0])


def model_of_kind(store: Store, model: Matcher) -> Matcher:
    """Return ``model`` for the kind of the store's texts."""
    kind = kind_of_store(store)
    return model if kind == model.kind else model.with_kind(kind)


def model_with_corpus(store: Store, model: Matcher) -> Matcher:
    """Return ``model`` for the kind of the store's texts, with what they say about names."""
    model, corpus = model_of_kind(store, model), corpus_of(store)
    return model.with_corpus(corpus) if corpus else model


def corpus_of(store: Store) -> Corpus | None:
    """Return what the store's texts say about names, if they have been counted."""
    return _read(store)[1]


def _read(store: Store) -> tuple[int, Corpus | None]:
    """Return how many texts were counted, and what they say; 0 and None, with a warning, if that is damaged."""
    stored = store.meta(settings.CORPUS)
    try:
        return settings.corpus_of(stored) if stored is not None else (0, None)
    except ValueError as error:
        _log.warning("The word counts of this index are damaged (%s); indexing an input rebuilds them.", error)
        return 0, None
