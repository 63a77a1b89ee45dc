"""The tables. SQL is the truth; every index is a copy of rows that stand here.

Collection 1─n Shelf 1─n Document 1─n DocumentVersion 1─n Passage
Memory 1─n Evidence n─1 Document         Conversation 1─n Answer 1─n Feedback
Memory 1─n Wording, 1─n MemoryEvent      Suggestion: what a curator is asked to decide
LedgerEntry 1─n LedgerDocument           Budget: what may be spent, and by whom
LedgerEntry: one for each Answer, which it outlives
User n─n Group; ApiKey, SignIn, PortalSession          AuditEvent: who did what, never changed
IndexChange: what an index must do to catch up with the rows
"""

import secrets
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from zuinig.core.types import DocumentStatus, MemoryStatus, Role, SuggestionKind, SuggestionStatus, Verdict


def now() -> datetime:
    return datetime.now(UTC)


def new_id(prefix: str) -> str:
    """Unguessable, and sorts by the time it was made, so that a list can be paged by id."""
    return f"{first_id(prefix, now())}{secrets.token_hex(6)}"


def first_id(prefix: str, at: datetime) -> str:
    """Below every id that `new_id` makes from that moment on, and above those of before."""
    return f"{prefix}_{int(at.timestamp() * 1_000_000):014x}"


class UTCDateTime(sa.types.TypeDecorator[datetime]):
    """SQLite keeps no zone: stored as UTC, and UTC when read."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: Any | None, dialect: sa.Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value else None


class Base(DeclarativeBase):
    type_annotation_map = {datetime: UTCDateTime, dict[str, Any]: sa.JSON, list[Any]: sa.JSON}  # noqa: RUF012
    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Collection(Base):
    __tablename__ = "collections"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(200), unique=True)
    # The ids of the groups that may add, replace and delete its documents, and so read all of them.
    editors: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    created_at: Mapped[datetime] = mapped_column(default=now)


class Shelf(Base):
    """Documents of a collection that the same people may read. What may be read is always a set of whole shelves."""

    __tablename__ = "shelves"
    __table_args__ = (
        sa.Index("uq_shelves_main", "collection_id", unique=True, sqlite_where=sa.text("main = 1")),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)  # stands in the scope of memories; never used again
    collection_id: Mapped[int] = mapped_column(sa.ForeignKey("collections.id"), index=True)
    # Where the documents stand that have no readers of their own.
    main: Mapped[bool] = mapped_column(default=False)
    # The sorted ids of the groups that may read it; none for everybody.
    readers: Mapped[list[Any] | None] = mapped_column(sa.JSON(none_as_null=True))


class Document(Base):
    __tablename__ = "documents"
    __table_args__ = (
        sa.Index("ix_documents_path", "collection_id", "path"),
        sa.Index("ix_documents_sha256", "collection_id", "sha256"),
    )
    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("doc"))
    collection_id: Mapped[int] = mapped_column(sa.ForeignKey("collections.id"))
    shelf_id: Mapped[int] = mapped_column(sa.ForeignKey("shelves.id"), index=True)  # of that collection
    uploaded_by: Mapped[str | None]  # of the user, else of the key
    path: Mapped[str] = mapped_column(sa.Text)  # as uploaded or synced, for identity and display; never opened
    filename: Mapped[str] = mapped_column(sa.Text)
    title: Mapped[str] = mapped_column(sa.Text)
    sha256: Mapped[str] = mapped_column(sa.String(64))  # of the newest version
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    sent_at: Mapped[datetime | None] = mapped_column(default=now)  # last; the bytes that were there already count too

    collection: Mapped[Collection] = relationship(lazy="raise")
    versions: Mapped[list["DocumentVersion"]] = relationship(
        lazy="raise", back_populates="document", order_by="DocumentVersion.number"
    )


class DocumentVersion(Base):
    """One upload of a document, and the job that reads it: status, progress and lease stand in the row."""

    __tablename__ = "document_versions"
    __table_args__ = (
        sa.UniqueConstraint("document_id", "number"),
        sa.Index("ix_document_versions_status", "status", "id"),
        # At most one version answers: the swap retires the old one in the same transaction.
        sa.Index("uq_document_versions_live", "document_id", unique=True, sqlite_where=sa.text("live = 1")),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[str] = mapped_column(sa.ForeignKey("documents.id", ondelete="CASCADE"), index=True)
    number: Mapped[int]
    filename: Mapped[str] = mapped_column(sa.Text)
    sha256: Mapped[str] = mapped_column(sa.String(64))
    bytes: Mapped[int]
    media_type: Mapped[str | None]
    embedder: Mapped[str | None]  # made the vectors of the passages
    live: Mapped[bool] = mapped_column(default=False)
    text: Mapped[str | None] = mapped_column(sa.Text, deferred=True)  # extracted; offsets of citations point into it
    status: Mapped[DocumentStatus] = mapped_column(sa.String(16), default=DocumentStatus.QUEUED)
    passages_total: Mapped[int] = mapped_column(default=0)
    passages_done: Mapped[int] = mapped_column(default=0)
    pages: Mapped[int | None]
    flagged: Mapped[int | None]  # of its passages and hidden texts; None where nobody has looked for any yet
    hidden: Mapped[list[Any]] = mapped_column(default=list, server_default="[]", deferred=True)  # what readers left out
    error_code: Mapped[str | None]
    error_reason: Mapped[str | None] = mapped_column(sa.Text)
    attempts: Mapped[int] = mapped_column(default=0)
    leased_by: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None]

    document: Mapped[Document] = relationship(lazy="raise", back_populates="versions")


class Passage(Base):
    __tablename__ = "passages"
    __table_args__ = (sa.Index("ix_passages_embed_hash", "embed_hash"), {"sqlite_autoincrement": True})
    id: Mapped[int] = mapped_column(primary_key=True)  # the id in the indexes; never used again after deletion
    version_id: Mapped[int] = mapped_column(sa.ForeignKey("document_versions.id", ondelete="CASCADE"), index=True)
    ordinal: Mapped[int]
    text: Mapped[str] = mapped_column(sa.Text)
    context: Mapped[str] = mapped_column(sa.Text)
    page: Mapped[int | None]
    start: Mapped[int]
    end: Mapped[int]
    tokens: Mapped[int]
    content_hash: Mapped[str] = mapped_column(sa.String(64))
    embed_hash: Mapped[str] = mapped_column(sa.String(64))  # of embedder and embedded text: equal means equal vector
    vector: Mapped[bytes] = mapped_column(deferred=True)  # float32, unit length
    # `core.types.Flag` reads them; null where nothing is suspicious.
    flags: Mapped[list[Any] | None] = mapped_column(sa.JSON(none_as_null=True))


class Memory(Base):
    __tablename__ = "memories"
    __table_args__ = (
        sa.Index("ix_memories_key", "question_key"),
        sa.Index("ix_memories_external", "external_id"),
        sa.Index("ix_memories_review", "review_at", sqlite_where=sa.text("review_at IS NOT NULL")),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)  # the id in the index; never used again after deletion
    external_id: Mapped[str | None]
    question: Mapped[str] = mapped_column(sa.Text)
    question_key: Mapped[str] = mapped_column(sa.String(64))
    answer: Mapped[str] = mapped_column(sa.Text)
    scope: Mapped[str] = mapped_column(default="")  # see `Reach.scope`
    # No index: nearly all are live, and SQLite would walk them all rather than look up the question.
    status: Mapped[MemoryStatus] = mapped_column(sa.String(16), default=MemoryStatus.LIVE)
    status_reason: Mapped[str | None] = mapped_column(sa.Text)
    origin: Mapped[str] = mapped_column(sa.String(16))  # specialist, llm, import, human
    verified_by: Mapped[str | None]
    confidence: Mapped[float]
    citations: Mapped[list[Any]] = mapped_column(default=list)
    baseline_tokens: Mapped[int | None]
    hits: Mapped[int] = mapped_column(default=0)
    expires_at: Mapped[datetime | None]
    review_at: Mapped[datetime | None]  # somebody should look at it from then on
    review_reason: Mapped[str | None] = mapped_column(sa.Text)
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    vector: Mapped[bytes] = mapped_column(deferred=True)  # float32, unit length
    embedder: Mapped[str]


class Wording(Base):
    """Another way to ask for a memory, or, by `differs`, a question that looks like it and is not."""

    __tablename__ = "wordings"
    __table_args__ = (sa.Index("ix_wordings_key", "question_key"), {"sqlite_autoincrement": True})
    id: Mapped[int] = mapped_column(primary_key=True)  # the id in the index; never used again after deletion
    memory_id: Mapped[int] = mapped_column(sa.ForeignKey("memories.id", ondelete="CASCADE"), index=True)
    differs: Mapped[bool] = mapped_column(default=False)
    question: Mapped[str] = mapped_column(sa.Text)
    question_key: Mapped[str] = mapped_column(sa.String(64))
    vector: Mapped[bytes] = mapped_column(deferred=True)  # float32, unit length
    embedder: Mapped[str]
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class MemoryEvent(Base):
    """What was done to a memory after it was made, by whom. by: None for the service itself."""

    __tablename__ = "memory_events"
    id: Mapped[int] = mapped_column(primary_key=True)
    memory_id: Mapped[int] = mapped_column(sa.ForeignKey("memories.id", ondelete="CASCADE"), index=True)
    action: Mapped[str] = mapped_column(sa.String(16))
    by: Mapped[str | None]
    detail: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Suggestion(Base):
    """A question and perhaps its answer, put before a curator; decided once, and kept so that it does not come back."""

    __tablename__ = "suggestions"
    __table_args__ = (sa.Index("ix_suggestions_key", "kind", "question_key"),)
    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("sug"))
    kind: Mapped[SuggestionKind] = mapped_column(sa.String(16))
    status: Mapped[SuggestionStatus] = mapped_column(sa.String(16), default=SuggestionStatus.OPEN)
    question: Mapped[str] = mapped_column(sa.Text)
    question_key: Mapped[str] = mapped_column(sa.String(64))
    wordings: Mapped[list[Any]] = mapped_column(default=list)  # how else it was asked
    answer: Mapped[str] = mapped_column(sa.Text, default="")
    citations: Mapped[list[Any]] = mapped_column(default=list)
    scope: Mapped[str] = mapped_column(default="")
    asked: Mapped[int] = mapped_column(default=1)
    askers: Mapped[int] = mapped_column(default=1)
    # The memory that would be approved or corrected, and the answer that was; no foreign keys: they may be gone by
    # the time somebody decides.
    memory_id: Mapped[int | None]
    answer_id: Mapped[str | None]
    last_asked_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(default=now)
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]


class Evidence(Base):
    """A passage that a memory's answer rests on. The memory lives while that version is live and holds that passage."""

    __tablename__ = "evidence"
    memory_id: Mapped[int] = mapped_column(sa.ForeignKey("memories.id", ondelete="CASCADE"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    # No foreign keys: when the document goes, the evidence stays and says what is missing.
    document_id: Mapped[str] = mapped_column(index=True)
    version_id: Mapped[int]
    content_hash: Mapped[str] = mapped_column(sa.String(64))


class Conversation(Base):
    __tablename__ = "conversations"
    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("conv"))
    owner_id: Mapped[str] = mapped_column(index=True)  # of the user who asks, else of the key
    created_at: Mapped[datetime] = mapped_column(default=now)


class Answer(Base):
    """A turn of a conversation: what was asked, and what was answered from where."""

    __tablename__ = "answers"
    id: Mapped[str] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(sa.ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    owner_id: Mapped[str]
    question: Mapped[str] = mapped_column(sa.Text)
    standalone_question: Mapped[str] = mapped_column(sa.Text)
    answer: Mapped[str] = mapped_column(sa.Text)
    source: Mapped[str] = mapped_column(sa.String(16))
    confidence: Mapped[float]
    citations: Mapped[list[Any]]
    memory_id: Mapped[int | None]  # the memory it was served from, or became
    created_at: Mapped[datetime] = mapped_column(default=now)


class LedgerEntry(Base):
    __tablename__ = "ledger"
    __table_args__ = (
        # All that budgets sum over, and only of answers that spent something.
        sa.Index(
            "ix_ledger_spent",
            *("created_at", "user", "group", "key_id", "prompt_tokens", "completion_tokens", "cost_micros"),
            sqlite_where=sa.text("prompt_tokens > 0"),
        ),
    )
    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("led"))
    answer_id: Mapped[str] = mapped_column(unique=True)  # no foreign key: what was spent stays when the texts go
    key_id: Mapped[str]  # of the key; in the portal of the user; empty once that person is forgotten
    user: Mapped[str | None]
    group: Mapped[str | None]
    source: Mapped[str] = mapped_column(sa.String(16))
    scope: Mapped[str] = mapped_column(default="")
    model: Mapped[str | None]
    prompt_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    baseline_tokens: Mapped[int]
    cost_micros: Mapped[int]  # millionths of the configured currency: sums of integers stay exact
    saved_cost_micros: Mapped[int]
    timing_ms: Mapped[dict[str, Any]]
    # Each call of a language model, in order.
    steps: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    notice: Mapped[str | None] = mapped_column(sa.String(16))  # code of what the asker was told beside the answer
    # "right" or "wrong": how the answer had been judged by the time its texts went.
    verdict: Mapped[str | None] = mapped_column(sa.String(8))
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)


class LedgerDocument(Base):
    """A document that an answer in the ledger rests on. It outlives the document, as the entry does."""

    __tablename__ = "ledger_documents"
    ledger_id: Mapped[str] = mapped_column(sa.ForeignKey("ledger.id", ondelete="CASCADE"), primary_key=True)
    document_id: Mapped[str] = mapped_column(primary_key=True)


class Budget(Base):
    """What may be spent on language models in a day or a month (UTC) by the service, a group, a user or a key."""

    __tablename__ = "budgets"
    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("bud"))
    subject: Mapped[str] = mapped_column(sa.String(8))  # service, group, user, key
    name: Mapped[str] = mapped_column(default="")  # of the group or the user, the id of the key; empty: the service
    period: Mapped[str] = mapped_column(sa.String(8))  # day, month
    tokens: Mapped[int | None]
    cost_micros: Mapped[int | None]
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    __table_args__ = (sa.UniqueConstraint("subject", "name", "period", name="uq_budgets_subject"),)


class Feedback(Base):
    __tablename__ = "feedback"
    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("fb"))
    answer_id: Mapped[str] = mapped_column(sa.ForeignKey("answers.id", ondelete="CASCADE"), index=True)
    owner_id: Mapped[str]
    verdict: Mapped[Verdict] = mapped_column(sa.String(8))
    correction: Mapped[str | None] = mapped_column(sa.Text)
    dismissed: Mapped[bool] = mapped_column(default=False)  # a curator looked, and found the answer right
    created_at: Mapped[datetime] = mapped_column(default=now)


class User(Base):
    """A person. Who has no password signs in by the identity provider, or not at all."""

    __tablename__ = "users"
    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("usr"))
    name: Mapped[str] = mapped_column(sa.String(200), unique=True)  # to sign in with, in lower case
    display_name: Mapped[str] = mapped_column(default="")
    role: Mapped[Role] = mapped_column(sa.String(16), default=Role.READER)
    password_hash: Mapped[str | None]  # Argon2id
    # Who the identity provider says it is: its issuer and its name for the person.
    subject: Mapped[str | None] = mapped_column(sa.Text, unique=True)
    last_sign_in_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    disabled_at: Mapped[datetime | None]


class Group(Base):
    __tablename__ = "groups"
    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("grp"))
    name: Mapped[str] = mapped_column(sa.String(200), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Membership(Base):
    __tablename__ = "memberships"
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    group_id: Mapped[str] = mapped_column(sa.ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True)
    # Said by the identity provider, which may take it back at the next sign-in.
    claimed: Mapped[bool] = mapped_column(default=False)


class ApiKey(Base):
    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("key"))
    name: Mapped[str] = mapped_column(sa.Text)
    key_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    scopes: Mapped[list[Any]]
    # The ids of the collections whose documents it may read; none for all there are and will be.
    collections: Mapped[list[Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    # Whose rights it has at most; none for a key of no person.
    user_id: Mapped[str | None] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    # On whose account it asks, for budgets and the ledger.
    user: Mapped[str | None]
    group: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class SignIn(Base):
    """A sign-in link that was handed out: good once, until it expires."""

    __tablename__ = "sign_ins"
    token_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(sa.ForeignKey("api_keys.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime]


class PortalSession(Base):
    """Somebody who is signed in to the portal: a user, or who holds a key."""

    __tablename__ = "portal_sessions"
    token_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    user_id: Mapped[str | None] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    key_id: Mapped[str | None] = mapped_column(sa.ForeignKey("api_keys.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]


class AuditEvent(Base):
    """Who did what, and when. The database refuses to change or delete one."""

    __tablename__ = "audit"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now, index=True)
    actor_id: Mapped[str | None] = mapped_column(index=True)  # of a user or a key; none for the service itself
    actor: Mapped[str]  # as it was called then
    action: Mapped[str] = mapped_column(sa.String(32))
    target: Mapped[str | None]  # the id of what it was done to
    detail: Mapped[str | None] = mapped_column(sa.Text)
    address: Mapped[str | None]


class IndexChange(Base):
    """The log that an index follows. It is written in the transaction that changes the rows."""

    __tablename__ = "index_changes"
    __table_args__ = (sa.Index("ix_index_changes_follow", "index", "seq"), {"sqlite_autoincrement": True})
    seq: Mapped[int] = mapped_column(primary_key=True)
    # "passages", "memories" or "wordings"; "moved" is followed by no index: a document got another shelf.
    index: Mapped[str] = mapped_column(sa.String(16))
    item_id: Mapped[int]
    added: Mapped[bool]


# The full-text index stands in the same database and transaction as the rows; the migration makes it, not the metadata.
FTS_TABLE = "passages_fts"
