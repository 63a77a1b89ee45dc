"""The nouns that cross a folder's border. Frozen and small: rows of the database stay behind their own module."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class BlockKind(StrEnum):
    HEADING = "heading"
    TEXT = "text"
    LIST_ITEM = "list_item"
    TABLE = "table"  # text is one row a line, cells parted by " | ", the header row first
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Block:
    """One structural piece of a document, in reading order.

    level: heading depth from 1, nesting depth from 0 for a list item, else 0. page: from 1, None without pages.
    """

    kind: BlockKind
    text: str
    level: int = 0
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Hidden:
    """Text of a file that its reader does not see, and that was left out. how: comment, style, colour, tiny, property
    (of a text processor) or characters.
    """

    how: str
    text: str
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a format reader found in a file: its blocks, the title where the file itself names one, what it hides."""

    blocks: tuple[Block, ...]
    title: str | None = None
    hidden: tuple[Hidden, ...] = ()


class FlagKind(StrEnum):
    """Why a passage is suspicious."""

    INSTRUCTION = "instruction"  # it speaks to a language model
    HEADING = "heading"  # a title above it does


@dataclass(frozen=True, slots=True)
class Flag:
    """What in a passage is suspicious. start, end: offsets into the extracted text of its document version."""

    kind: FlagKind
    start: int
    end: int

    @classmethod
    def read(cls, rows: list[Any] | None) -> "tuple[Flag, ...]":
        """As they stand in a passage's row."""
        return tuple(cls(FlagKind(row["kind"]), row["start"], row["end"]) for row in rows or ())


class DocumentStatus(StrEnum):
    QUEUED = "queued"
    PARSING = "parsing"
    EMBEDDING = "embedding"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RETIRED = "retired"  # a version that a newer one replaced; never the status of a document


ENDED = frozenset({DocumentStatus.READY, DocumentStatus.FAILED, DocumentStatus.CANCELLED, DocumentStatus.RETIRED})


class Codec(StrEnum):
    """How an index keeps a vector. The vector itself stands in SQL as float32 whatever it is."""

    FLOAT32 = "float32"
    SQ8 = "sq8"  # a byte for each dimension
    RABITQ = "rabitq"  # a bit for each dimension, and two numbers


class Source(StrEnum):
    """The rung of the ladder that answered."""

    MEMORY = "memory"
    SPECIALIST = "specialist"
    LLM = "llm"
    NONE = "none"


class Packing(StrEnum):
    """How much of what was found an LLM gets to read."""

    FULL = "full"  # whole passages
    SENTENCES = "sentences"  # those that are worth their tokens
    TIGHT = "tight"  # those that are worth twice as many


class MemoryStatus(StrEnum):
    LIVE = "live"
    STALE = "stale"  # a document it rests on changed or went
    HELD = "held"  # doubtful, by a reader's word or by a flagged passage: out of service until a curator has looked
    RETIRED = "retired"  # taken out of service by a person, or by a newer answer
    REJECTED = "rejected"  # a curator found the answer wrong: it is not learnt again


class Verdict(StrEnum):
    """What a reader says of an answer."""

    UP = "up"
    DOWN = "down"


class SuggestionKind(StrEnum):
    FREQUENT = "frequent"  # asked often and answered well
    CORRECTION = "correction"  # what a reader says the answer should have been
    GAP = "gap"  # the documents do not cover it


class SuggestionStatus(StrEnum):
    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"


class Scope(StrEnum):
    """What an API key may do. `admin` includes the others."""

    READ = "read"
    ASK = "ask"
    UPLOAD = "upload"
    CURATE = "curate"
    ADMIN = "admin"


class Role(StrEnum):
    """What a person is. Who may edit a collection is said of the collection."""

    READER = "reader"
    CURATOR = "curator"  # decides on memories, and reads everything that they may rest on
    ADMIN = "admin"

    @property
    def scopes(self) -> frozenset[Scope]:
        asks = frozenset({Scope.READ, Scope.ASK})
        more = {Role.READER: frozenset[Scope](), Role.CURATOR: frozenset({Scope.CURATE}), Role.ADMIN: frozenset(Scope)}
        return asks | more[self]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a person, or the holder of an API key of no person, and what it may do.

    id: of the user, else of the key; what is asked belongs to it. key_id: of the key that was sent; in the portal of
    the user. readable: the ids of the shelves whose documents it may read; None for all. editable: the ids of the
    collections whose documents it may change; None for all, and for making new ones. user, group: on whose account
    it asks. limited: by a key that a person may hand on, in what it reads or for how long.
    """

    id: str
    key_id: str
    name: str
    scopes: frozenset[Scope]
    readable: frozenset[int] | None = None
    editable: frozenset[int] | None = None
    user: str | None = None
    group: str | None = None
    limited: bool = False

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes


@dataclass(frozen=True, slots=True)
class Reach:
    """What a question is asked of. named: the shelves of the collections that the asker named; readable: those it may
    read.

    Both hold ids of shelves; None stands for all there are.
    """

    named: tuple[int, ...] | None = None
    readable: frozenset[int] | None = None

    @property
    def shelves(self) -> list[int] | None:
        """Those to look on, sorted; None for all."""
        if self.named is not None:
            return sorted({i for i in self.named if self.readable is None or i in self.readable})
        return None if self.readable is None else sorted(self.readable)

    @property
    def scope(self) -> str:
        """As it stands in a memory: "" for everything, else the sorted ids; "-" where there is nothing to read."""
        found = self.shelves
        return "" if found is None else ",".join(map(str, found)) or "-"

    @classmethod
    def of_scope(cls, scope: str) -> "Reach":
        """What a scope was written for."""
        return cls() if scope == "" else cls(tuple(int(i) for i in scope.split(",") if i.isdigit()))


EVERYTHING = Reach()


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that search found. start, end: character offsets into the extracted text of its document version."""

    passage_id: int
    document_id: str
    version_id: int
    version: int
    title: str
    filename: str
    collection: str
    text: str
    context: str  # heading path and table header, above the text and not part of it
    page: int | None
    start: int
    end: int
    content_hash: str
    score: float
    similarity: float  # cosine of question and passage
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """The exact place an answer rests on. text[start:end] of the document version is the quote."""

    document_id: str
    version_id: int
    title: str
    version: int
    page: int | None
    start: int
    end: int
    quote: str
    passage_id: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and money spent, and what plain RAG (the top five full passages) would have spent on the same question."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    baseline_tokens: int = 0
    cost: float = 0.0
    saved_cost: float = 0.0
    model: str | None = None

    @property
    def saved_tokens(self) -> int:
        return self.baseline_tokens - self.prompt_tokens - self.completion_tokens


@dataclass(slots=True)
class Timing:
    """Milliseconds per stage, filled as the question climbs."""

    stages: dict[str, float] = field(default_factory=dict)


class ProgressReport(Protocol):
    """Called with how many are done and how many there are in all."""

    def __call__(self, done: int, total: int) -> None: ...
