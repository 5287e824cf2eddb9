"""The vectors of a model that a store is changing to, apart from those that answer queries meanwhile."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "next_vector",
        sa.Column("text_id", _identifier, autoincrement=False, nullable=False),
        sa.Column("model_key", sa.Integer(), nullable=False),
        sa.Column("code", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("text_id", name=op.f("pk_next_vector")),
        sa.ForeignKeyConstraint(
            ["text_id"], ["text.text_id"], name=op.f("fk_next_vector_text_id_text"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["model_key"], ["model.model_key"], name=op.f("fk_next_vector_model_key_model")),
    )


def downgrade() -> None:
    op.drop_table("next_vector")
