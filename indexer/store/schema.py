"""The database schema, the same on SQLite and PostgreSQL.

    source ─< record >─ text ── text_vector >─ model ─< snapshot     source ─< run ─< ingest_batch     store_meta

A *text* is immutable: a ``text_id`` always means the same normal form and is never reused. A record whose text
changes points to another text, and a text without records is deleted with its vectors. A FAISS snapshot can
therefore lag behind the database but never contradict it.

Every schema change needs a revision in ``migrations/versions``, added to ``REVISIONS``.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

REVISIONS = ("0001", "0002", "0003")
"""Every revision of the schema, oldest first."""

HEAD = REVISIONS[-1]
"""The revision that this program reads and writes; a test checks that it is the head of ``migrations/``."""

APPLICATION_ID = 0x4E445550  # "NDUP"
"""``PRAGMA application_id`` of our SQLite files; a file without it belongs to another program."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# On SQLite only a column declared INTEGER can be the rowid, which has 64 bits.
Identifier = BigInteger().with_variant(Integer(), "sqlite")

store_meta = Table(
    "store_meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

source = Table(
    "source",
    metadata,
    Column("source_id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("identity", String(16), nullable=False),  # column | content
)

run = Table(
    "run",
    metadata,
    Column("run_id", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),  # index | delete | report
    Column("state", String(16), nullable=False),  # running | done | failed | interrupted
    Column("started_at", String(32), nullable=False),  # ISO 8601, UTC; for display, never for ordering
    Column("finished_at", String(32)),
    Column("manifest", Text, nullable=False),  # a JSON object
    Column("source_id", Integer, ForeignKey("source.source_id")),  # the source it changes
    Column("input_digest", String(64)),  # SHA-256 of the job's input; an unfinished run with the same one is resumed
)

# One row for each transaction of a run that changed records, committed in that transaction.
ingest_batch = Table(
    "ingest_batch",
    metadata,
    Column("run_id", Integer, ForeignKey("run.run_id"), primary_key=True),
    Column("batch_no", Integer, primary_key=True, autoincrement=False),
    Column("rows_in", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("added", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("unchanged", Integer, nullable=False),
    Column("removed", Integer, nullable=False),
)

text = Table(
    "text",
    metadata,
    Column("text_id", Identifier, primary_key=True, autoincrement=False),
    Column("normal", Text, nullable=False),
    Column("digest", BigInteger, nullable=False, index=True),  # of the normal form; not unique
)

record = Table(
    "record",
    metadata,
    Column("record_id", Identifier, primary_key=True, autoincrement=False),
    Column("source_id", Integer, ForeignKey("source.source_id"), nullable=False),
    Column("external_id", Text, nullable=False),
    Column("raw", Text, nullable=False),
    Column("fields", Text, nullable=False),  # the other columns: a JSON object of strings
    Column("content_digest", LargeBinary(16), nullable=False),  # blake2b of raw and fields
    Column("text_id", Identifier, ForeignKey("text.text_id"), nullable=False),
    Column("changed_by_run", Integer, ForeignKey("run.run_id"), nullable=False),
    UniqueConstraint("source_id", "external_id"),
    Index(None, "text_id"),
)

model = Table(
    "model",
    metadata,
    Column("model_key", Integer, primary_key=True),
    Column("model_id", String(64), nullable=False, unique=True),
)

# Not called "vector": PostgreSQL defines a type for every table, and pgvector has a type of that name.
text_vector = Table(
    "text_vector",
    metadata,
    Column("text_id", Identifier, ForeignKey("text.text_id", ondelete="CASCADE"), primary_key=True),
    Column("model_key", Integer, ForeignKey("model.model_key"), nullable=False),
    Column("code", LargeBinary, nullable=False),  # d bytes, one int8 each
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("generation", Integer, primary_key=True),
    Column("file_name", Text, nullable=False),
    Column("n_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("model_key", Integer, ForeignKey("model.model_key"), nullable=False),
    Column("max_text_id", BigInteger, nullable=False),
    Column("n_vectors", BigInteger, nullable=False),
    Column("digest", String(32), nullable=False),  # of its ids and codes; see indexer.vectors.snapshot
    Column("parameters", Text, nullable=False),  # a JSON object
    Column("state", String(16), nullable=False),  # ready
    Column("created_at", String(32), nullable=False),
)
