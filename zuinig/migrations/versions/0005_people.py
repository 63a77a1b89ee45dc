"""People, groups and sessions; shelves, by which it is said who may read; the audit log"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_OWNED = ("conversations", "answers", "feedback")


def upgrade() -> None:
    _people()
    _shelves()
    _audit()
    for name in _OWNED:
        op.execute(f"ALTER TABLE {name} RENAME COLUMN key_id TO owner_id")
    op.drop_index("ix_conversations_key_id", "conversations")
    op.create_index("ix_conversations_owner_id", "conversations", ["owner_id"])


def _people() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("last_sign_in_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("disabled_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
        sa.UniqueConstraint("subject", name=op.f("uq_users_subject")),
    )
    op.create_table(
        "groups",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
        sa.UniqueConstraint("name", name=op.f("uq_groups_name")),
    )
    op.create_table(
        "memberships",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("group_id", sa.String(), nullable=False),
        sa.Column("claimed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_memberships_user_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_memberships_group_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "group_id", name=op.f("pk_memberships")),
    )
    op.create_table(
        "portal_sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(), nullable=True),
        sa.Column("key_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_portal_sessions_user_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["key_id"], ["api_keys.id"], name=op.f("fk_portal_sessions_key_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_portal_sessions")),
    )
    op.create_index("ix_portal_sessions_user_id", "portal_sessions", ["user_id"])
    op.create_index("ix_portal_sessions_key_id", "portal_sessions", ["key_id"])
    with op.batch_alter_table("api_keys") as table:
        table.add_column(sa.Column("user_id", sa.String(), nullable=True))
        table.add_column(sa.Column("expires_at", sa.DateTime(), nullable=True))
        table.create_foreign_key(op.f("fk_api_keys_user_id"), "users", ["user_id"], ["id"], ondelete="CASCADE")
    op.create_index("ix_api_keys_user_id", "api_keys", ["user_id"])


def _shelves() -> None:
    """Each collection gets one, of its own number: what stands in the scopes of memories goes on meaning the same."""
    op.create_table(
        "shelves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.Column("main", sa.Boolean(), nullable=False),
        sa.Column("readers", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["collection_id"], ["collections.id"], name=op.f("fk_shelves_collection_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shelves")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_shelves_collection_id", "shelves", ["collection_id"])
    op.create_index("uq_shelves_main", "shelves", ["collection_id"], unique=True, sqlite_where=sa.text("main = 1"))
    op.execute("INSERT INTO shelves (id, collection_id, main) SELECT id, id, 1 FROM collections")
    with op.batch_alter_table("collections") as table:
        table.add_column(sa.Column("editors", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("documents") as table:
        table.add_column(sa.Column("shelf_id", sa.Integer(), nullable=True))
        table.add_column(sa.Column("uploaded_by", sa.String(), nullable=True))
    op.execute("UPDATE documents SET shelf_id = collection_id")
    with op.batch_alter_table("documents") as table:
        table.alter_column("shelf_id", nullable=False)
        table.create_foreign_key(op.f("fk_documents_shelf_id"), "shelves", ["shelf_id"], ["id"])
    op.create_index("ix_documents_shelf_id", "documents", ["shelf_id"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("actor_id", sa.String(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("target", sa.String(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("address", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_actor_id", "audit", ["actor_id"])
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit "
            "BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END"
        )


def downgrade() -> None:
    op.drop_index("ix_conversations_owner_id", "conversations")
    for name in _OWNED:
        op.execute(f"ALTER TABLE {name} RENAME COLUMN owner_id TO key_id")
    op.create_index("ix_conversations_key_id", "conversations", ["key_id"])
    op.drop_table("audit")
    op.drop_index("ix_documents_shelf_id", "documents")
    with op.batch_alter_table("documents") as table:
        table.drop_constraint(op.f("fk_documents_shelf_id"), type_="foreignkey")
        table.drop_column("uploaded_by")
        table.drop_column("shelf_id")
    with op.batch_alter_table("collections") as table:
        table.drop_column("editors")
    op.drop_table("shelves")
    op.drop_index("ix_api_keys_user_id", "api_keys")
    with op.batch_alter_table("api_keys") as table:
        table.drop_constraint(op.f("fk_api_keys_user_id"), type_="foreignkey")
        table.drop_column("expires_at")
        table.drop_column("user_id")
    for name in ("portal_sessions", "memberships", "groups", "users"):
        op.drop_table(name)
