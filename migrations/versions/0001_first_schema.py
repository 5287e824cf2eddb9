"""The first schema: sources, records, texts, vectors, runs and snapshots."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "store_meta",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_store_meta")),
    )
    op.create_table(
        "source",
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("identity", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("source_id", name=op.f("pk_source")),
        sa.UniqueConstraint("name", name=op.f("uq_source_name")),
    )
    op.create_table(
        "run",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("started_at", sa.String(32), nullable=False),
        sa.Column("finished_at", sa.String(32), nullable=True),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run")),
    )
    _create_records()
    _create_vectors()


def _create_records() -> None:
    op.create_table(
        "text",
        sa.Column("text_id", _identifier, autoincrement=False, nullable=False),
        sa.Column("normal", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(16), nullable=False),
        sa.PrimaryKeyConstraint("text_id", name=op.f("pk_text")),
        sa.UniqueConstraint("digest", name=op.f("uq_text_digest")),
    )
    op.create_table(
        "record",
        sa.Column("record_id", _identifier, autoincrement=False, nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("content_digest", sa.LargeBinary(16), nullable=False),
        sa.Column("text_id", _identifier, nullable=False),
        sa.Column("changed_by_run", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_record")),
        sa.ForeignKeyConstraint(["source_id"], ["source.source_id"], name=op.f("fk_record_source_id_source")),
        sa.ForeignKeyConstraint(["text_id"], ["text.text_id"], name=op.f("fk_record_text_id_text")),
        sa.ForeignKeyConstraint(["changed_by_run"], ["run.run_id"], name=op.f("fk_record_changed_by_run_run")),
        sa.UniqueConstraint("source_id", "external_id", name=op.f("uq_record_source_id_external_id")),
    )
    op.create_index(op.f("ix_record_text_id"), "record", ["text_id"])


def _create_vectors() -> None:
    op.create_table(
        "model",
        sa.Column("model_key", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("model_key", name=op.f("pk_model")),
        sa.UniqueConstraint("model_id", name=op.f("uq_model_model_id")),
    )
    op.create_table(
        "text_vector",
        sa.Column("text_id", _identifier, nullable=False),
        sa.Column("model_key", sa.Integer(), nullable=False),
        sa.Column("code", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("text_id", "model_key", name=op.f("pk_text_vector")),
        sa.ForeignKeyConstraint(
            ["text_id"], ["text.text_id"], name=op.f("fk_text_vector_text_id_text"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["model_key"], ["model.model_key"], name=op.f("fk_text_vector_model_key_model")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "snapshot",
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("n_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("model_key", sa.Integer(), nullable=False),
        sa.Column("max_text_id", sa.BigInteger(), nullable=False),
        sa.Column("n_vectors", sa.BigInteger(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("generation", name=op.f("pk_snapshot")),
        sa.ForeignKeyConstraint(["model_key"], ["model.model_key"], name=op.f("fk_snapshot_model_key_model")),
    )


def downgrade() -> None:
    for table in ("snapshot", "text_vector", "model", "record", "text", "run", "source", "store_meta"):
        op.drop_table(table)
