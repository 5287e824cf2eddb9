"""Values that are wrong in a column of the database, and those that a sound one may hold in that place."""

from __future__ import annotations

LONG = "hex(zeroblob(5000))"

WRONG = {
    "word": "'abc'",
    "empty": "''",
    "long": LONG,
    "not UTF-8": "CAST(x'41ff42' AS TEXT)",
    "NUL": "'a' || char(0) || 'b'",
    "blob": "x'ff'",
    "no bytes": "x''",
    "real": "5.5",
    "infinite": "9e999",
    "negative": "-5",
    "zero": "0",
    "above int32": "4294967296",
    "largest int64": "9223372036854775807",
    "smallest int64": "-9223372036854775808",
    "null": "NULL",
}
"""Values that are wrong in nearly every column, as SQL."""

WRONG_JSON = {
    "bracket": "'{'",
    "list": "'[1]'",
    "json null": "'null'",
    "deep": "replace(hex(zeroblob(20000)), '0', '[')",
    "surrogate": "CAST(x'eda080' AS TEXT)",
}
"""Values that are wrong where a JSON object is expected."""

JSON_COLUMNS = {("run", "manifest"), ("record", "fields"), ("snapshot", "parameters")} | {
    ("cluster_event", "details"),
    ("baseline", "corpus"),
}

ROWS = {
    "store_meta": "key = 'writer'",
    "source": "source_id = 1",
    "run": "run_id = 1",
    "ingest_batch": "run_id = 1",
    "text": "text_id = 3",
    "record": "record_id = 3",
    "model": "model_key = 1",
    "text_vector": "text_id = 3",
    "next_vector": "text_id = 3",
    "snapshot": "generation = 1",
    "near_pair": "text_id_1 = 1",
    "cluster": "cluster_id = 1",
    "cluster_member": "record_id = 3",
    "cluster_event": "kind = 'dissolved'",
    "pair_event": "kind = 'gone'",
    "judgement": "judgement_id = 1",
    "baseline": "baseline_id = 1",
    "neighbour_file": "file_name LIKE 'near%'",
}
"""For each table the row that is changed."""

_NUMBERS_AS_TEXT = {"real", "infinite", "negative", "zero", "above int32", "largest int64", "smallest int64"}
_ANY_TEXT = {"word", "empty", "long"} | _NUMBERS_AS_TEXT
_AS_ZERO = {"zero", "long"}  # many zeros are one in a column of numbers
LEGITIMATE_FINDINGS = {
    *((table, column, name) for table, column in (
        ("near_pair", "probability"), ("near_pair", "similarity"), ("pair_event", "probability"),
        ("pair_event", "similarity"), ("cluster", "weakest_probability"), ("cluster_event", "event_no"),
        ("baseline", "prior_shift"), ("baseline", "cells_per_text"),
    ) for name in _AS_ZERO),
    *((table, column, "above int32") for table, column in (  # what was deleted since
        ("near_pair", "text_id_2"), ("pair_event", "text_id_1"), ("pair_event", "text_id_2"),
        ("cluster_member", "record_id"), ("cluster_member", "text_id"), ("cluster_event", "event_no"),
    )),
    *((table, column, "null") for table, column in (  # as they are in an open cluster, and in a small corpus
        ("cluster", "closed_by_run"), ("cluster", "successor"), ("baseline", "corpus"), ("baseline", "centres"),
        ("baseline", "fields"), ("neighbour_file", "run_id"),
    )),
    *(("cluster_member", "external_id", name) for name in {"word"} | _NUMBERS_AS_TEXT),
    *(("judgement", column, name) for column in ("judged_by", "note") for name in _ANY_TEXT),
}  # fmt: skip
"""The same for what reports remember."""
LEGITIMATE = (
    LEGITIMATE_FINDINGS
    | {("record", "external_id", name) for name in {"word"} | _NUMBERS_AS_TEXT}
    | {
        ("run", "source_id", "null"),  # as in a report, or before schema 0002
        ("run", "input_digest", "null"),
        *(  # which are 0 already
            ("ingest_batch", column, name)
            for column in ("batch_no", "rejected", "changed", "unchanged", "removed")
            for name in ("zero", "long")
        ),
    }
)
"""Values that a sound database may hold in that place: nothing can tell that they were changed."""

LEGITIMATE_SETTINGS = {
    ("normaliser_version", "zero"),  # an older version
    ("next_text_id", "above int32"),  # ids may have gaps
    ("next_record_id", "above int32"),
}

OF_SNAPSHOT = {("snapshot", "n_bytes", "above int32"), ("snapshot", "n_vectors", "above int32")} | {
    ("snapshot", "max_text_id", "above int32"),
}
"""Values that are possible, but not those of the file."""


OF_CACHE = {("neighbour_file", "n_bytes", "above int32"), ("neighbour_file", "n_texts", "above int32")}
"""Values that make a cache useless, which is no fault of the index."""
