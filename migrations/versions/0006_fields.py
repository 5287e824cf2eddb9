"""The baseline of reports pins the weights of fields and the frequencies of their values.

Which columns of a source are fields stands in ``store_meta`` beside its other columns, so nothing else changes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("baseline", sa.Column("fields", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("baseline", "fields")
