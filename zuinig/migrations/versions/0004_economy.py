"""Budgets; whose key it is; the ledger tells each call and the documents behind an answer"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "budgets",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("subject", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("period", sa.String(length=8), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=True),
        sa.Column("cost_micros", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budgets")),
        sa.UniqueConstraint("subject", "name", "period", name="uq_budgets_subject"),
    )
    op.create_table(
        "ledger_documents",
        sa.Column("ledger_id", sa.String(), nullable=False),
        sa.Column("document_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ledger_id"], ["ledger.id"], name=op.f("fk_ledger_documents_ledger_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ledger_id", "document_id", name=op.f("pk_ledger_documents")),
    )
    for name in ("api_keys", "ledger"):
        with op.batch_alter_table(name) as table:
            table.add_column(sa.Column("user", sa.String(), nullable=True))
            table.add_column(sa.Column("group", sa.String(), nullable=True))
    with op.batch_alter_table("ledger") as table:
        table.add_column(sa.Column("steps", sa.JSON(), nullable=False, server_default="[]"))
        table.add_column(sa.Column("notice", sa.String(length=16), nullable=True))
    op.create_index(
        "ix_ledger_spent",
        "ledger",
        ["created_at", "user", "group", "key_id", "prompt_tokens", "completion_tokens", "cost_micros"],
        sqlite_where=sa.text("prompt_tokens > 0"),
    )


def downgrade() -> None:
    op.drop_index("ix_ledger_spent", "ledger")
    with op.batch_alter_table("ledger") as table:
        table.drop_column("notice")
        table.drop_column("steps")
    for name in ("ledger", "api_keys"):
        with op.batch_alter_table(name) as table:
            table.drop_column("group")
            table.drop_column("user")
    op.drop_table("ledger_documents")
    op.drop_table("budgets")
