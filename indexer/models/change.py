"""Change the model of an index: encode every text anew, while the old model answers, and switch at the end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from dedup.matching.matcher import Matcher
from dedup.runtime.progress import Progress, no_progress
from indexer.ingest.encoding import TEXTS_AT_ONCE, encode_texts
from indexer.models.stored import forget_others, model_of_vectors, remember, remembers, switch
from indexer.store import schema
from indexer.store.corpus_words import model_of_kind
from indexer.vectors.snapshot import Snapshots


class Changed(NamedTuple):
    """What a change of model did."""

    texts_encoded: int
    snapshot_built: bool


NOTHING_CHANGED = Changed(0, False)


def change_model(
    snapshots: Snapshots,
    model: Matcher,
    *,
    notify: Callable[[str], None] = lambda sentence: None,
    progress: Progress = no_progress,
    texts_at_once: int = TEXTS_AT_ONCE,
) -> Changed:
    """Make this the model of a store, if it is not.

    Texts are encoded ``texts_at_once`` in one transaction; those of an interrupted change are not encoded again. The
    vectors, the snapshot and the model change together, in one transaction. ``notify`` is called if there is anything
    to encode. Stages reported to ``progress``: ``texts`` and those of ``Snapshots.publish``.

    Raises:
        VersionMismatch: the model has no scorer for the kind of the texts, or no vector for one; the old one stays.
        EnvironmentFault: the disk or the database fails; what was encoded is kept.
    """
    store = snapshots.store
    model_of_kind(store, model)
    before = model_of_vectors(store)
    if before in (None, model.model_id):
        if not remembers(store, model):
            store.write(partial(remember, model=model))
            if before is not None:
                notify(
                    f"Note: The index now has model {model.name} ({model.fingerprint[:12]}). Its encoder is the same, "
                    "so no text was encoded again."
                )
        return NOTHING_CHANGED
    forget_others(store, model.model_id)
    texts, known = store.counts().texts, store.count_vectors(model.model_id, table=schema.next_vector)
    if texts > known:
        notify(
            f"Note: Encoding {texts - known:,} texts with model {model.name} ({model.model_id[:12]}); queries are "
            f"answered by model {str(before)[:12]} until all are done."
        )
    encoded = encode_texts(store, model, progress, texts_at_once=texts_at_once, table=schema.next_vector)
    published = snapshots.publish(
        model.model_id,
        min_similarity=model.min_similarity,
        progress=progress,
        table=schema.next_vector,
        also=partial(switch, model=model),
    )
    if published is None:  # there is no text
        store.write(partial(switch, model=model))
    return Changed(encoded, published is not None)
