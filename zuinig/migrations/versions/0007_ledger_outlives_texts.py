"""The ledger outlives its answers; when a document was last sent; the audit log cannot be written over"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    # Rows of the tables that refer to the ledger stay: while SQLite migrates, no foreign key is acted upon.
    with op.batch_alter_table("ledger") as table:
        table.drop_constraint(op.f("fk_ledger_answer_id"), type_="foreignkey")
        table.add_column(sa.Column("verdict", sa.String(length=8), nullable=True))
    op.add_column("documents", sa.Column("sent_at", sa.DateTime(), nullable=True))
    op.execute("UPDATE documents SET sent_at = updated_at")
    # A row that takes the place of another is deleted without a word to the trigger that forbids deletion.
    op.execute(
        "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id) "
        "BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER audit_no_replace")
    op.drop_column("documents", "sent_at")
    # The foreign key of before cannot hold for what was kept without its answer.
    op.execute("DELETE FROM ledger WHERE answer_id NOT IN (SELECT id FROM answers)")
    op.execute("DELETE FROM ledger_documents WHERE ledger_id NOT IN (SELECT id FROM ledger)")
    with op.batch_alter_table("ledger") as table:
        table.drop_column("verdict")
        table.create_foreign_key(op.f("fk_ledger_answer_id"), "answers", ["answer_id"], ["id"], ondelete="CASCADE")
