"""What pairs depend on besides their records: the words of the corpus, the prior, the cells of the search, and fields.

These describe the whole corpus, so they would change a little with every text. They are pinned instead, so that the
pairs of unchanged texts stay the same, and are made anew by a rule: when more than a fifth of the texts have come or
gone since, or the model or the rules of normal forms are others. A report that makes them compares everything.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, insert, select

from dedup.errors import VersionMismatch
from dedup.evidence.fields.field_kinds import FieldKind
from dedup.evidence.fields.field_model import FieldModel
from dedup.evidence.fields.field_table import Frequencies
from dedup.matching.matcher import Matcher
from dedup.text.corpus import Corpus
from dedup.text.normalise import NORMALISER_VERSION
from indexer.reading.rows import FieldKinds
from indexer.store import schema
from indexer.store.integrity.values import damaged, json_object
from indexer.store.store import Codes, Ids, Store
from indexer.store.texts import make_model_key
from indexer.vectors.knn_update import Space

MODEL_CHANGED = "the model has changed"
_LARGEST = 1 << 30
"""Bytes of the largest weights and frequencies that are read."""

MAX_CHANGE = 0.2
"""Share of the texts that may come, or go, before the baseline is made anew."""


@dataclass(frozen=True, slots=True)
class FieldBaseline:
    """The fields with their kinds, their weights, and how often their values occur."""

    columns: FieldKinds
    model: FieldModel
    frequencies: Frequencies

    def to_json(self) -> str:
        """Return all of it as JSON."""
        records, counts, _, habits = self.frequencies
        values = {"columns": self.columns, "model": self.model.to_json(), "records": records, "counts": counts}
        if habits:
            values["habits"] = dict(habits)
        return json.dumps(values, ensure_ascii=False, sort_keys=True)

    def packed(self) -> bytes:
        """Return it as compressed JSON."""
        return zlib.compress(self.to_json().encode())

    @classmethod
    def unpacked(cls, packed: bytes) -> FieldBaseline:
        """Read what ``packed`` returns. Raises ``CorruptStore`` if it is something else."""
        try:
            found = json_object(zlib.decompressobj().decompress(packed, _LARGEST).decode())
            columns = tuple((str(name), str(FieldKind(kind))) for name, kind in found["columns"])
            counts = {str(name): {str(form): int(n) for form, n in of.items()} for name, of in found["counts"].items()}
            habits = {str(name): bool(habit) for name, habit in found.get("habits", {}).items()}
            frequencies = Frequencies(int(found["records"]), counts, habits=habits)
            return cls(columns, FieldModel.from_json(found["model"]), frequencies)
        except (
            zlib.error,
            VersionMismatch,
            ArithmeticError,
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
        ) as error:
            raise damaged(f"The weights of fields in the baseline of reports are damaged: {error}.") from error


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is pinned.

    Attributes:
        model_id: The model of the vectors.
        normaliser_version: The rules of the normal forms.
        texts: The number of texts at that time.
        max_text_id: The last of them.
        prior_shift: What is added to all log-odds for the share of true pairs.
        corpus: What the texts say about names, if they were counted.
        cells_per_text: Cells that each text is assigned to; 0: every pair is compared.
        centres: Centres of the cells (c, d), if any.
        fields: The weights of fields, if there are any.

    """

    model_id: str
    normaliser_version: int
    texts: int
    max_text_id: int
    prior_shift: float
    corpus: Corpus | None
    cells_per_text: int
    centres: Codes | None
    fields: FieldBaseline | None = None

    @property
    def digest(self) -> str:
        """SHA-256 in hex of all of this."""
        values = (self.model_id, self.normaliser_version, self.texts, self.max_text_id, self.prior_shift)
        of_fields = () if self.fields is None else (self.fields.to_json(),)
        content = repr((*values, self.cells_per_text, _packed(self.corpus), *of_fields)).encode()
        return sha256(content + (b"" if self.centres is None else self.centres.tobytes())).hexdigest()

    def matcher(self, model: Matcher) -> Matcher:
        """Return ``model`` with what the texts say about names."""
        return model.with_corpus(self.corpus) if self.corpus else model

    def space(self, model: Matcher) -> Space:
        """Return what decides which texts are compared."""
        return Space(self.model_id, model.min_similarity, self.centres, self.cells_per_text)

    def reason_to_renew(self, model: Matcher, text_ids: Ids, fields: FieldKinds, records: int) -> str | None:
        """Return why the baseline is made anew for these texts (n,), ascending; None if it holds.

        ``fields`` are those of the ``records`` now, with their kinds.
        """
        if self.model_id != model.model_id:
            return MODEL_CHANGED
        if self.normaliser_version != NORMALISER_VERSION:
            return "the rules of normal forms have changed"
        if fields != (() if self.fields is None else self.fields.columns):
            return "the fields have changed"
        if self.fields is not None and abs(records - self.fields.frequencies.records) > MAX_CHANGE * records:
            return f"more than {MAX_CHANGE:.0%} of the records have come or gone"
        left = int(np.searchsorted(text_ids, self.max_text_id, side="right"))
        if max(len(text_ids) - left, self.texts - left) > MAX_CHANGE * self.texts:
            return f"more than {MAX_CHANGE:.0%} of the texts have come or gone"
        return None


def read_baseline(store: Store, model_id: str, dimension: int) -> Baseline | None:
    """Return the baseline of the last report, None before the first; vectors of this model have this ``dimension``.

    Raises:
        CorruptStore: it is not what its digest says.
    """
    table = schema.baseline
    columns = table.c["normaliser_version", "texts", "max_text_id", "prior_shift", "corpus", "cells_per_text"]
    statement = select(schema.model.c.model_id, *columns, *table.c["centres", "fields", "digest"])
    rows = store.read(statement.join_from(table, schema.model))
    if not rows:
        return None
    found_id, version, texts, last, shift, corpus, cells_per_text, packed, fields, digest = rows[0]
    words = None if corpus is None else Corpus.from_json(json_object(corpus))
    width = dimension if found_id == model_id else 1  # that of another model is not known, and not needed
    centres = _unpacked(packed, width) if packed is not None else None
    of_fields = None if fields is None else FieldBaseline.unpacked(fields)
    found = Baseline(found_id, version, texts, last, shift, words, cells_per_text, centres, of_fields)
    if len(rows) != 1 or found.digest != digest:
        raise damaged("The baseline of reports does not match its digest.")
    return found


def read_field_baseline(store: Store) -> FieldBaseline | None:
    """Return the weights of fields of the last report; None before the first, or if there are no fields.

    Raises:
        CorruptStore: they are damaged.
    """
    rows = store.read(select(schema.baseline.c.fields))
    return FieldBaseline.unpacked(rows[0][0]) if rows and rows[0][0] is not None else None


def write_baseline(connection: Connection, baseline: Baseline) -> None:
    """Make this the baseline of the store."""
    table = schema.baseline
    connection.execute(delete(table))
    values: dict[str, Any] = {
        name: getattr(baseline, name)
        for name in ("normaliser_version", "texts", "max_text_id", "prior_shift", "cells_per_text", "digest")
    }
    values |= {
        "baseline_id": 1,
        "model_key": make_model_key(connection, baseline.model_id),
        "corpus": _packed(baseline.corpus),
        "centres": None if baseline.centres is None else baseline.centres.tobytes(),
        "fields": None if baseline.fields is None else baseline.fields.packed(),
    }
    connection.execute(insert(table).values(values))


def _packed(corpus: Corpus | None) -> str | None:
    return None if corpus is None else json.dumps(corpus.to_json(), ensure_ascii=False, sort_keys=True)


def _unpacked(packed: bytes, width: int) -> Codes:
    if not width or len(packed) % width:
        raise damaged(f"The centres of the baseline are {len(packed)} bytes, and vectors have {width}.")
    return np.frombuffer(packed, np.int8).reshape(-1, width)
