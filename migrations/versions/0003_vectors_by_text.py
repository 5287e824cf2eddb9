"""One vector for each text, found by the text's own number, and half of a text's digest, as a number.

Both take less space: a table of SQLite with a whole number for its key has full pages. Of a text that two models
had encoded, the vector of the later one is kept.
"""

from hashlib import blake2b
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("text", sa.Column("short_digest", sa.BigInteger(), nullable=True))
    op.execute(f"UPDATE text SET short_digest = {_first_half('digest')}")
    with op.batch_alter_table("text") as text:
        text.drop_constraint(op.f("uq_text_digest"), type_="unique")
        text.drop_column("digest")
    with op.batch_alter_table("text") as text:
        text.alter_column("short_digest", new_column_name="digest", existing_type=sa.BigInteger(), nullable=False)
    op.create_index(op.f("ix_text_digest"), "text", ["digest"])
    _exchange_vectors(
        sa.Column("text_id", _identifier, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("text_id", name=op.f("pk_text_vector")),
        where="model_key = (SELECT max(model_key) FROM text_vector AS other WHERE other.text_id = text_vector.text_id)",
    )


def _first_half(column: str) -> str:
    """Return what makes a whole number of 64 bits of the first 8 bytes of a column."""
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        return f"('x' || encode(substr({column}, 1, 8), 'hex'))::bit(64)::bigint"
    driver: Any = bind.connection.driver_connection
    driver.create_function("first_half", 1, lambda digest: int.from_bytes(digest[:8], signed=True), deterministic=True)
    return f"first_half({column})"


def _exchange_vectors(text_id: sa.Column[int], key: sa.PrimaryKeyConstraint, where: str, **options: bool) -> None:
    """Make the table of vectors anew, with those that fulfil a condition."""
    op.execute(f"CREATE TABLE old_vector AS SELECT text_id, model_key, code FROM text_vector WHERE {where}")
    op.drop_table("text_vector")
    op.create_table(
        "text_vector",
        text_id,
        sa.Column("model_key", sa.Integer(), nullable=False),
        sa.Column("code", sa.LargeBinary(), nullable=False),
        key,
        sa.ForeignKeyConstraint(
            ["text_id"], ["text.text_id"], name=op.f("fk_text_vector_text_id_text"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["model_key"], ["model.model_key"], name=op.f("fk_text_vector_model_key_model")),
        **options,
    )
    op.execute("INSERT INTO text_vector SELECT text_id, model_key, code FROM old_vector ORDER BY text_id")
    op.drop_table("old_vector")


def downgrade() -> None:
    _exchange_vectors(
        sa.Column("text_id", _identifier, nullable=False),
        sa.PrimaryKeyConstraint("text_id", "model_key", name=op.f("pk_text_vector")),
        where="true",
        sqlite_with_rowid=False,
    )
    op.drop_index(op.f("ix_text_digest"), "text")
    op.add_column("text", sa.Column("long_digest", sa.LargeBinary(16), nullable=True))
    bind = op.get_bind()
    texts = bind.execute(sa.text("SELECT text_id, normal FROM text")).all()
    if texts:
        digests = [{"of": key, "is": blake2b(normal.encode(), digest_size=16).digest()} for key, normal in texts]
        bind.execute(sa.text("UPDATE text SET long_digest = :is WHERE text_id = :of"), digests)
    with op.batch_alter_table("text") as text:
        text.drop_column("digest")
    with op.batch_alter_table("text") as text:
        text.alter_column("long_digest", new_column_name="digest", existing_type=sa.LargeBinary(16), nullable=False)
    with op.batch_alter_table("text") as text:
        text.create_unique_constraint(op.f("uq_text_digest"), ["digest"])
