"""How common each word is in the corpus of a store, so that what is rare there weighs much in a comparison.

Counted when a snapshot is built, in at most 100,000 texts evenly spread over the store, and kept in
``store_meta`` under ``words``. A cache like the snapshot: without it a model knows its own table alone.
"""

from __future__ import annotations

import json

from sqlalchemy import Connection, delete, func, insert, select

from dedup.lexicon import CORPUS_SAMPLE, count_words
from dedup.model import Model
from indexer import schema
from indexer.store import Store

_KEY = "words"
_LEAST = 2  # a word seen once is as rare as one never seen


def keep_words(store: Store, most_texts: int = CORPUS_SAMPLE) -> None:
    """Count the words of the store's texts and keep the counts in place of those before."""
    column = schema.text.c
    (n,) = store.read(select(func.count()).select_from(schema.text))[0]
    step = max(1, -(-n // most_texts))
    normals = [normal for (normal,) in store.read(select(column.normal).where(column.text_id % step == 0))]
    counts, n_texts = count_words(normals, least=_LEAST)
    value = json.dumps({"n_texts": n_texts, "counts": counts}, ensure_ascii=False)
    meta = schema.store_meta

    def work(connection: Connection) -> None:
        connection.execute(delete(meta).where(meta.c.key == _KEY))
        connection.execute(insert(meta).values(key=_KEY, value=value))

    store.write(work)


def model_of(store: Store, model: Model) -> Model:
    """Return ``model`` with the words of the store counted in."""
    kept = store.meta(_KEY)
    if kept is None:
        return model
    words = json.loads(kept)
    return model.with_corpus(words["counts"], words["n_texts"])
