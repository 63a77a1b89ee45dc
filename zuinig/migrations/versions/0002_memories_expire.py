"""Memories expire and come up for review"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("memories") as table:
        table.add_column(sa.Column("expires_at", sa.DateTime(), nullable=True))
        table.add_column(sa.Column("review_at", sa.DateTime(), nullable=True))
        table.add_column(sa.Column("review_reason", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("memories") as table:
        for name in ("review_reason", "review_at", "expires_at"):
            table.drop_column(name)
