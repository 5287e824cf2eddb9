"""Of which kind the texts of a source are: as asked, as before, as the rest of the index, or as its first rows look.

All sources of an index are of one kind, so that any two of its texts can be compared.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from dedup.errors import UsageError
from dedup.evidence.kinds import COMPANY, kind_of
from dedup.evidence.texts.detection import SMALLEST, detect_kind
from dedup.matching.matcher import Matcher
from indexer.store import schema
from indexer.store.corpus_words import kinds_of_sources
from indexer.store.integrity import settings
from indexer.store.integrity.fetch import fetch
from indexer.store.store import Store

DETECTION_ROWS = 1_000
"""Texts at the beginning of an input that its kind is detected from."""

_NAMES = {
    "company": "names of companies",
    "person": "names of persons",
    "text": "other texts, such as products, titles or addresses",
}


def chosen_kind(
    store: Store, source: str, asked: str | None, normals: Sequence[str], model: Matcher
) -> tuple[str, str | None]:
    """Return the kind of a source whose first texts are ``normals``, and a note for the user if it was detected.

    A kind that is detected, but that the ``model`` does not compare, is named in the note only.

    Raises:
        UsageError: there is no such kind as was ``asked`` for, or other sources of the index are of another.
        VersionMismatch: the model has no scorer for the kind that was asked for, or that the index has.
    """
    known = kinds_of_sources(store)
    others = {name: kind for name, kind in known.items() if name != source}
    if asked is not None:
        kind_of(asked)
        for name, kind in others.items():
            if kind != asked:
                raise UsageError(
                    f"Source {name!r} of this index holds {_NAMES[kind]} (--kind {kind}), and texts of two kinds "
                    f"cannot be compared; nothing was stored. Index {_NAMES[asked]} in another workspace with -w DIR, "
                    f"or use --kind {kind} (kind= in Python)."
                )
        model.with_kind(asked)
        return asked, None
    before = known.get(source) or next(iter(others.values()), None)
    found = detect_kind(normals)
    if before is not None:
        model.with_kind(before)
        if found not in (before, COMPANY.name) and source not in known and len(normals) >= SMALLEST:
            return before, (
                f"Warning: The texts look like {_NAMES[found]}, but the index holds {_NAMES[before]}, so they are "
                f"compared as these. To compare them as what they are, index them in another workspace: -w DIR --kind "
                f"{found} (kind= in Python)."
            )
        return before, None
    return _as_detected(found, len(normals), model, f"--kind company -s {shlex.quote(source)}")


def model_for_texts(model: Matcher, asked: str | None, normals: Sequence[str]) -> tuple[Matcher, str | None]:
    """Return a model for the kind of texts, as asked for or as they look, and a note for the user if it was detected.

    Raises:
        UsageError: there is no such kind as was ``asked`` for.
        VersionMismatch: the model has no scorer for it.
    """
    if asked is not None:
        return model.with_kind(asked), None
    kind, note = _as_detected(detect_kind(normals[:DETECTION_ROWS]), len(normals), model, "--kind company")
    return model.with_kind(kind), note


def _as_detected(found: str, n: int, model: Matcher, otherwise: str) -> tuple[str, str | None]:
    """Return the kind that n texts are compared as which look like ``found``, and a note, unless they are the usual."""
    if found == COMPANY.name:
        return found, None
    if n < SMALLEST and found in model.kinds:
        return COMPANY.name, (
            f"Note: The texts look like {_NAMES[found]}, but {n} are too few to be sure, so they are compared as "
            f"{_NAMES[COMPANY.name]}. If they are not, use --kind {found} (kind= in Python)."
        )
    if found not in model.kinds:
        return COMPANY.name, (
            f"Warning: The texts look like {_NAMES[found]}, but the model compares names of companies only, so they "
            f"are compared as these. The model that ships with neardup has --kind {found} (kind= in Python)."
        )
    return found, (
        f"The texts look like {_NAMES[found]}, so they are compared as these (--kind {found}). For names of companies, "
        f"use {otherwise} (kind= in Python)."
    )


def record_kind(connection: Connection, source_id: int, kind: str) -> None:
    """Remember the kind of a source; if it changes, what earlier reports counted and found no longer holds."""
    meta = schema.store_meta
    key = f"{settings.KIND}{source_id}"
    rows = fetch(connection, select(meta.c.value).where(meta.c.key == key))
    before = rows[0][0] if rows else COMPANY.name
    if before == kind:
        return
    connection.execute(delete(meta).where(meta.c.key.in_((key, settings.CORPUS))))
    connection.execute(delete(schema.baseline))
    if kind != COMPANY.name:
        connection.execute(insert(meta).values(key=key, value=kind))
