"""Batches of a run, the input of a run, and a digest of what a snapshot holds.

Snapshots published before have no digest. They are a cache, so they are forgotten: the next `dedup index`
builds one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("run") as run:
        run.add_column(sa.Column("source_id", sa.Integer(), nullable=True))
        run.add_column(sa.Column("input_digest", sa.String(64), nullable=True))
        run.create_foreign_key(op.f("fk_run_source_id_source"), "source", ["source_id"], ["source_id"])
    op.create_table(
        "ingest_batch",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("batch_no", sa.Integer(), autoincrement=False, nullable=False),
        *(
            sa.Column(name, sa.Integer(), nullable=False)
            for name in ("rows_in", "rejected", "added", "changed", "unchanged", "removed")
        ),
        sa.PrimaryKeyConstraint("run_id", "batch_no", name=op.f("pk_ingest_batch")),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name=op.f("fk_ingest_batch_run_id_run")),
    )
    op.execute("DELETE FROM snapshot")
    with op.batch_alter_table("snapshot") as snapshot:
        snapshot.add_column(sa.Column("digest", sa.String(32), nullable=False))
    op.execute("INSERT INTO store_meta (key, value) SELECT 'writer', '0:0' FROM store_meta WHERE key = 'store_uuid'")


def downgrade() -> None:
    op.execute("DELETE FROM store_meta WHERE key = 'writer'")
    op.execute("DELETE FROM snapshot")
    with op.batch_alter_table("snapshot") as snapshot:
        snapshot.drop_column("digest")
    op.drop_table("ingest_batch")
    with op.batch_alter_table("run") as run:
        run.drop_constraint(op.f("fk_run_source_id_source"), type_="foreignkey")
        run.drop_column("input_digest")
        run.drop_column("source_id")
