"""The findings of reports: near pairs, clusters with stable ids, what became of them, and judgements.

Nothing is known of reports made before, so the first one afterwards gives its clusters their first ids.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_findings()
    _create_events()
    op.create_table(
        "judgement",
        _required("judgement_id", sa.Integer()),
        *(_required(name, sa.Text()) for name in ("source_1", "id_1", "source_2", "id_2")),
        _required("pair_digest", sa.LargeBinary(16)),
        _required("verdict", sa.String(16)),
        _required("judged_by", sa.Text()),
        _required("judged_at", sa.String(32)),
        _required("note", sa.Text()),
        sa.PrimaryKeyConstraint("judgement_id", name=op.f("pk_judgement")),
        sa.UniqueConstraint("pair_digest", name=op.f("uq_judgement_pair_digest")),
    )
    _create_caches()


def _required(name: str, type_: sa.types.TypeEngine[object]) -> sa.Column[object]:
    return sa.Column(name, type_, nullable=False)


def _id(name: str) -> sa.Column[int]:
    return sa.Column(name, _identifier, autoincrement=False, nullable=False)


def _create_findings() -> None:
    op.create_table(
        "near_pair",
        _id("text_id_1"),
        _id("text_id_2"),
        _required("probability", sa.Double()),
        _required("similarity", sa.Double()),
        sa.PrimaryKeyConstraint("text_id_1", "text_id_2", name=op.f("pk_near_pair")),
    )
    op.create_table(
        "cluster",
        _id("cluster_id"),
        _required("opened_by_run", sa.Integer()),
        sa.Column("closed_by_run", sa.Integer(), nullable=True),
        sa.Column("successor", _identifier, nullable=True),
        _required("weakest_probability", sa.Double()),
        sa.Column("weakest_text_1", _identifier, nullable=True),
        sa.Column("weakest_text_2", _identifier, nullable=True),
        sa.PrimaryKeyConstraint("cluster_id", name=op.f("pk_cluster")),
        sa.ForeignKeyConstraint(["successor"], ["cluster.cluster_id"], name=op.f("fk_cluster_successor_cluster")),
    )
    op.create_table(
        "cluster_member",
        _id("record_id"),
        _required("cluster_id", _identifier),
        _required("text_id", _identifier),
        _required("source_id", sa.Integer()),
        _required("external_id", sa.Text()),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_cluster_member")),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["cluster.cluster_id"], name=op.f("fk_cluster_member_cluster_id_cluster")
        ),
        sa.ForeignKeyConstraint(["source_id"], ["source.source_id"], name=op.f("fk_cluster_member_source_id_source")),
    )
    op.create_index(op.f("ix_cluster_member_cluster_id"), "cluster_member", ["cluster_id"])


def _create_events() -> None:
    op.create_table(
        "cluster_event",
        _required("run_id", sa.Integer()),
        sa.Column("event_no", sa.Integer(), autoincrement=False, nullable=False),
        _required("kind", sa.String(16)),
        _required("details", sa.Text()),
        sa.PrimaryKeyConstraint("run_id", "event_no", name=op.f("pk_cluster_event")),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name=op.f("fk_cluster_event_run_id_run")),
    )
    op.create_table(
        "pair_event",
        _required("run_id", sa.Integer()),
        _id("text_id_1"),
        _id("text_id_2"),
        _required("kind", sa.String(8)),
        _required("probability", sa.Double()),
        _required("similarity", sa.Double()),
        sa.PrimaryKeyConstraint("run_id", "text_id_1", "text_id_2", name=op.f("pk_pair_event")),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name=op.f("fk_pair_event_run_id_run")),
    )


def _create_caches() -> None:
    op.create_table(
        "baseline",
        _required("baseline_id", sa.Integer()),
        _required("model_key", sa.Integer()),
        _required("normaliser_version", sa.Integer()),
        _required("texts", sa.BigInteger()),
        _required("max_text_id", sa.BigInteger()),
        _required("prior_shift", sa.Double()),
        sa.Column("corpus", sa.Text(), nullable=True),
        _required("cells_per_text", sa.Integer()),
        sa.Column("centres", sa.LargeBinary(), nullable=True),
        _required("digest", sa.String(64)),
        sa.PrimaryKeyConstraint("baseline_id", name=op.f("pk_baseline")),
        sa.ForeignKeyConstraint(["model_key"], ["model.model_key"], name=op.f("fk_baseline_model_key_model")),
    )
    op.create_table(
        "neighbour_file",
        _required("generation", sa.Integer()),
        _required("file_name", sa.Text()),
        _required("n_bytes", sa.BigInteger()),
        _required("sha256", sa.String(64)),
        _required("model_key", sa.Integer()),
        _required("cells_digest", sa.String(64)),
        _required("n_texts", sa.BigInteger()),
        sa.Column("run_id", sa.Integer(), nullable=True),
        _required("created_at", sa.String(32)),
        sa.PrimaryKeyConstraint("generation", name=op.f("pk_neighbour_file")),
        sa.ForeignKeyConstraint(["model_key"], ["model.model_key"], name=op.f("fk_neighbour_file_model_key_model")),
    )


def downgrade() -> None:
    for table in ("neighbour_file", "baseline", "judgement", "pair_event", "cluster_event", "cluster_member"):
        op.drop_table(table)
    for table in ("cluster", "near_pair"):
        op.drop_table(table)
