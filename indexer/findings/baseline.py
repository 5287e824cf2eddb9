"""What pairs depend on besides their texts: the words of the corpus, the prior, and the cells of the search.

These describe the whole corpus, so they would change a little with every text. They are pinned instead, so that the
pairs of unchanged texts stay the same, and are made anew by a rule: when more than a fifth of the texts have come or
gone since, or the model or the rules of normal forms are others. A report that makes them compares everything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, insert, select

from dedup.matching.matcher import Matcher
from dedup.text.corpus import Corpus
from dedup.text.normalise import NORMALISER_VERSION
from indexer.store import schema
from indexer.store.integrity.values import damaged, json_object
from indexer.store.store import Codes, Ids, Store
from indexer.store.texts import make_model_key
from indexer.vectors.knn_update import Space

MODEL_CHANGED = "the model has changed"
MAX_CHANGE = 0.2
"""Share of the texts that may come, or go, before the baseline is made anew."""


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

    """

    model_id: str
    normaliser_version: int
    texts: int
    max_text_id: int
    prior_shift: float
    corpus: Corpus | None
    cells_per_text: int
    centres: Codes | None

    @property
    def digest(self) -> str:
        """SHA-256 in hex of all of this."""
        values = (self.model_id, self.normaliser_version, self.texts, self.max_text_id, self.prior_shift)
        content = repr((*values, self.cells_per_text, _packed(self.corpus))).encode()
        return sha256(content + (b"" if self.centres is None else self.centres.tobytes())).hexdigest()

    def matcher(self, model: Matcher) -> Matcher:
        """Return ``model`` with what the texts say about names."""
        return model.with_corpus(self.corpus) if self.corpus else model

    def space(self, model: Matcher) -> Space:
        """Return what decides which texts are compared."""
        return Space(self.model_id, model.min_similarity, self.centres, self.cells_per_text)

    def reason_to_renew(self, model: Matcher, text_ids: Ids) -> str | None:
        """Return why the baseline is made anew for these texts (n,), ascending; None if it holds."""
        if self.model_id != model.model_id:
            return MODEL_CHANGED
        if self.normaliser_version != NORMALISER_VERSION:
            return "the rules of normal forms have changed"
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
    statement = select(schema.model.c.model_id, *columns, table.c.centres, table.c.digest)
    rows = store.read(statement.join_from(table, schema.model))
    if not rows:
        return None
    found_id, version, texts, last, shift, corpus, cells_per_text, packed, digest = rows[0]
    words = None if corpus is None else Corpus.from_json(json_object(corpus))
    width = dimension if found_id == model_id else 1  # that of another model is not known, and not needed
    centres = _unpacked(packed, width) if packed is not None else None
    found = Baseline(found_id, version, texts, last, shift, words, cells_per_text, centres)
    if len(rows) != 1 or found.digest != digest:
        raise damaged("The baseline of reports does not match its digest.")
    return found


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
    }
    connection.execute(insert(table).values(values))


def _packed(corpus: Corpus | None) -> str | None:
    return None if corpus is None else json.dumps(corpus.to_json(), ensure_ascii=False, sort_keys=True)


def _unpacked(packed: bytes, width: int) -> Codes:
    if not width or len(packed) % width:
        raise damaged(f"The centres of the baseline are {len(packed)} bytes, and vectors have {width}.")
    return np.frombuffer(packed, np.int8).reshape(-1, width)
