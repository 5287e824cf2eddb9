"""The database schema, the same on SQLite and PostgreSQL.

    source ─< record >─ text ── text_vector >─ model ─< snapshot     source ─< run ─< ingest_batch     store_meta
                          text ── next_vector >─ model
    near_pair     cluster ─< cluster_member     run ─< cluster_event     run ─< pair_event
    judgement     model ─< baseline             model ─< neighbour_file

A *text* is immutable: a ``text_id`` always means the same normal form and is never reused. A record whose text
changes points to another text, and a text without records is deleted with its vectors. A FAISS snapshot can
therefore lag behind the database but never contradict it.

A text has one vector. Those of a model that the store is changing to are kept in ``next_vector`` until every text has
one; then they take the place of the others (``indexer.models.stored``).

``near_pair``, ``cluster`` and ``cluster_member`` are the findings of the last report that was completed, all written
in one transaction. They say what was found then: records and texts deleted since are still named, so they have no
foreign keys to those. A ``cluster_id`` is never reused, and no row of ``cluster`` is ever deleted; people see it as
``c123``. The events say what became of every cluster and pair (``dedup.clustering.stable_ids``). A judgement belongs
to a pair of record identities, source name and external id, so it outlives the records and their ids.

Each column has a kind of values (``info``), which is checked when a row is read (``indexer.store.integrity``).

Every schema change needs a revision in ``migrations/versions``, added to ``REVISIONS``. A new database is made from the
tables here, an older one by the revisions; so a column that a revision adds is the last one of its table.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from indexer.store.integrity.values import (
    CORPUS_WORDS,
    COUNT,
    DIGEST,
    EVENT,
    HEX_128,
    ID,
    KEY,
    MANIFEST,
    NAME,
    NUMBER,
    PARAMETERS,
    SHA256,
    TEXT,
    TIME,
    Kind,
    blob,
    matching,
    one_of,
    real,
    text_of,
)

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
"""Every revision of the schema, oldest first."""

HEAD = REVISIONS[-1]
"""The revision that this program reads and writes; a test checks that it is the head of ``migrations/``."""

TABLES_OF = "0006"
"""The last revision that changed tables, and not only rows."""

APPLICATION_ID = 0x4E445550  # "NDUP"
"""``PRAGMA application_id`` of our SQLite files; a file without it belongs to another program."""

MAX_TEXT_CHARACTERS = 4096
"""Maximum length of a normal form."""

MAX_ID_CHARACTERS = 512
"""Maximum length of an external id: keys of a PostgreSQL index are limited to 2.7 kB."""

IDENTITIES = ("column", "content")
RUN_KINDS = ("index", "delete", "report")
RUN_STATES = ("running", "done", "failed", "interrupted")
EVENT_KINDS = ("new", "grown", "shrunk", "changed", "merged", "split", "rearranged", "dissolved")
VERDICTS = ("same", "different", "unsure")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

revision = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32)),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Alembic's own table, of which it makes one like this where there is none; not part of the schema."""

# On SQLite only a column declared INTEGER can be the rowid, which has 64 bits.
Identifier = BigInteger().with_variant(Integer(), "sqlite")


def _column(name: str, type_: Any, kind: Kind, *constraints: ForeignKey, **options: Any) -> Column[Any]:  # noqa: ANN401
    """Return a column whose values are of a kind, none of them missing unless ``nullable``."""
    return Column(name, type_, *constraints, info={"kind": kind}, **({"nullable": False} | options))


store_meta = Table(
    "store_meta",
    metadata,
    _column("key", String(64), NAME, primary_key=True),
    _column("value", Text, TEXT),
)

source = Table(
    "source",
    metadata,
    _column("source_id", Integer, KEY, primary_key=True),
    _column("name", Text, TEXT, unique=True),
    _column("identity", String(16), one_of(IDENTITIES)),
)

run = Table(
    "run",
    metadata,
    _column("run_id", Integer, KEY, primary_key=True),
    _column("kind", String(16), one_of(RUN_KINDS)),
    _column("state", String(16), one_of(RUN_STATES)),
    _column("started_at", String(32), TIME),  # ISO 8601, UTC; for display, never for ordering
    _column("finished_at", String(32), TIME, nullable=True),
    _column("manifest", Text, MANIFEST),
    _column("source_id", Integer, KEY, ForeignKey("source.source_id"), nullable=True),  # the source it changes
    # SHA-256 of the job's input; an unfinished run with the same one is resumed
    _column("input_digest", String(64), SHA256, nullable=True),
)

# One row for each transaction of a run that changed records, committed in that transaction.
ingest_batch = Table(
    "ingest_batch",
    metadata,
    _column("run_id", Integer, KEY, ForeignKey("run.run_id"), primary_key=True),
    _column("batch_no", Integer, COUNT, primary_key=True, autoincrement=False),
    _column("rows_in", Integer, COUNT),
    _column("rejected", Integer, COUNT),
    _column("added", Integer, COUNT),
    _column("changed", Integer, COUNT),
    _column("unchanged", Integer, COUNT),
    _column("removed", Integer, COUNT),
)

text = Table(
    "text",
    metadata,
    _column("text_id", Identifier, ID, primary_key=True, autoincrement=False),
    _column("normal", Text, text_of(MAX_TEXT_CHARACTERS, shortest=1)),
    _column("digest", BigInteger, DIGEST, index=True),  # of the normal form; not unique
)

record = Table(
    "record",
    metadata,
    _column("record_id", Identifier, ID, primary_key=True, autoincrement=False),
    _column("source_id", Integer, KEY, ForeignKey("source.source_id")),
    _column("external_id", Text, text_of(MAX_ID_CHARACTERS, shortest=1)),
    _column("raw", Text, NAME),
    _column("fields", Text, NAME),  # the other columns: a JSON object of strings
    _column("content_digest", LargeBinary(16), blob(16)),  # blake2b of raw and fields
    _column("text_id", Identifier, ID, ForeignKey("text.text_id")),
    _column("changed_by_run", Integer, KEY, ForeignKey("run.run_id")),
    UniqueConstraint("source_id", "external_id"),
    Index(None, "text_id"),
)

model = Table(
    "model",
    metadata,
    _column("model_key", Integer, KEY, primary_key=True),
    _column("model_id", String(64), SHA256, unique=True),
)


def _vectors(name: str) -> Table:
    return Table(
        name,
        metadata,
        _column("text_id", Identifier, ID, ForeignKey("text.text_id", ondelete="CASCADE"), primary_key=True),
        _column("model_key", Integer, KEY, ForeignKey("model.model_key")),
        _column("code", LargeBinary, blob()),  # d bytes, one int8 each
    )


# Not called "vector": PostgreSQL defines a type for every table, and pgvector has a type of that name.
text_vector = _vectors("text_vector")
next_vector = _vectors("next_vector")

snapshot = Table(
    "snapshot",
    metadata,
    _column("generation", Integer, KEY, primary_key=True),
    _column("file_name", Text, matching(r"idx-[0-9]+-[0-9a-f]{32}\.faiss", "the name of a snapshot file")),
    _column("n_bytes", BigInteger, NUMBER),
    _column("sha256", String(64), SHA256),
    _column("model_key", Integer, KEY, ForeignKey("model.model_key")),
    _column("max_text_id", BigInteger, ID),
    _column("n_vectors", BigInteger, NUMBER),
    _column("parameters", Text, PARAMETERS),
    _column("state", String(16), one_of(("ready",))),
    _column("created_at", String(32), TIME),
    _column("digest", String(32), HEX_128),  # of its ids and codes; see indexer.vectors.snapshot
)

near_pair = Table(
    "near_pair",
    metadata,
    _column("text_id_1", Identifier, ID, primary_key=True, autoincrement=False),  # the lower one
    _column("text_id_2", Identifier, ID, primary_key=True, autoincrement=False),
    _column("probability", Double, real(0, 1)),
    _column("similarity", Double, real(-1.001, 1.001)),  # a cosine in single precision
)

cluster = Table(
    "cluster",
    metadata,
    _column("cluster_id", Identifier, ID, primary_key=True, autoincrement=False),
    _column("opened_by_run", Integer, KEY),  # not a foreign key: old runs are removed by `dedup runs prune`
    _column("closed_by_run", Integer, KEY, nullable=True),
    _column("successor", Identifier, ID, ForeignKey("cluster.cluster_id"), nullable=True),  # an open cluster
    _column("weakest_probability", Double, real(0, 1)),  # of two of its members, when it was last seen
    _column("weakest_text_1", Identifier, ID, nullable=True),  # those two; none if all its records have one text
    _column("weakest_text_2", Identifier, ID, nullable=True),
)

cluster_member = Table(
    "cluster_member",
    metadata,
    _column("record_id", Identifier, ID, primary_key=True, autoincrement=False),
    _column("cluster_id", Identifier, ID, ForeignKey("cluster.cluster_id"), index=True),
    _column("text_id", Identifier, ID),
    _column("source_id", Integer, KEY, ForeignKey("source.source_id")),
    _column("external_id", Text, text_of(MAX_ID_CHARACTERS, shortest=1)),
)

cluster_event = Table(
    "cluster_event",
    metadata,
    _column("run_id", Integer, KEY, ForeignKey("run.run_id"), primary_key=True),
    _column("event_no", Integer, COUNT, primary_key=True, autoincrement=False),
    _column("kind", String(16), one_of(EVENT_KINDS)),
    _column("details", Text, EVENT),
)

# A near pair that a run found for the first time, or no longer found.
pair_event = Table(
    "pair_event",
    metadata,
    _column("run_id", Integer, KEY, ForeignKey("run.run_id"), primary_key=True),
    _column("text_id_1", Identifier, ID, primary_key=True, autoincrement=False),
    _column("text_id_2", Identifier, ID, primary_key=True, autoincrement=False),
    _column("kind", String(8), one_of(("new", "gone"))),
    _column("probability", Double, real(0, 1)),
    _column("similarity", Double, real(-1.001, 1.001)),
)

judgement = Table(
    "judgement",
    metadata,
    _column("judgement_id", Integer, KEY, primary_key=True),
    _column("source_1", Text, TEXT),
    _column("id_1", Text, text_of(MAX_ID_CHARACTERS, shortest=1)),
    _column("source_2", Text, TEXT),
    _column("id_2", Text, text_of(MAX_ID_CHARACTERS, shortest=1)),
    # blake2b of the four, since two long ids are too large for an index of PostgreSQL
    _column("pair_digest", LargeBinary(16), blob(16), unique=True),
    _column("verdict", String(16), one_of(VERDICTS)),
    _column("judged_by", Text, TEXT),
    _column("judged_at", String(32), TIME),
    _column("note", Text, TEXT),
)

# What probabilities and candidates depend on besides the texts (``indexer.store.findings.baseline``); one row.
baseline = Table(
    "baseline",
    metadata,
    _column("baseline_id", Integer, KEY, primary_key=True),
    _column("model_key", Integer, KEY, ForeignKey("model.model_key")),
    _column("normaliser_version", Integer, COUNT),
    _column("texts", BigInteger, NUMBER),
    _column("max_text_id", BigInteger, ID),
    _column("prior_shift", Double, real(-10, 10)),
    _column("corpus", Text, CORPUS_WORDS, nullable=True),
    _column("cells_per_text", Integer, COUNT),  # 0: every pair is compared
    _column("centres", LargeBinary, blob(), nullable=True),  # c times d bytes, one int8 each
    _column("digest", String(64), SHA256),  # of all the others
    _column("fields", LargeBinary, blob(), nullable=True),  # weights of fields and frequencies of their values
)

# Files with the nearest neighbours of all texts: a cache (``indexer.vectors.neighbour_file``).
neighbour_file = Table(
    "neighbour_file",
    metadata,
    _column("generation", Integer, KEY, primary_key=True),
    _column("file_name", Text, matching(r"near-[0-9]+-[0-9a-f]{32}\.npz", "the name of a file of neighbours")),
    _column("n_bytes", BigInteger, NUMBER),
    _column("sha256", String(64), SHA256),
    _column("model_key", Integer, KEY, ForeignKey("model.model_key")),
    _column("cells_digest", String(64), SHA256),  # of what decides which texts are compared
    _column("n_texts", BigInteger, NUMBER),
    _column("run_id", Integer, KEY, nullable=True),  # the report whose pairs come from it; none of an unfinished one
    _column("created_at", String(32), TIME),
)
