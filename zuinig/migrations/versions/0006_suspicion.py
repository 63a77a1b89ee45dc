"""What in a document is suspicious, and what it hides"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("passages", sa.Column("flags", sa.JSON(), nullable=True))
    op.add_column("document_versions", sa.Column("flagged", sa.Integer(), nullable=True))
    op.add_column("document_versions", sa.Column("hidden", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    # In place: a table that is made anew would forget that its ids are never used again.
    op.drop_column("document_versions", "hidden")
    op.drop_column("document_versions", "flagged")
    op.drop_column("passages", "flags")
