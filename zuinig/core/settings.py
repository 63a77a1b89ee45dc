"""Settings: environment variables ZUINIG_*, each with its unit in its name. docs/settings.md is made of this class."""

import os
import sys
from decimal import Decimal
from functools import cached_property
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from zuinig.core.errors import ConfigurationError
from zuinig.core.types import Codec, Packing

OFF = "off"  # an empty variable is one that is not set, so that a limit with a default needs a word for none


def _default_data_dir() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "zuinig"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="ZUINIG_", extra="ignore", env_ignore_empty=True, frozen=True)

    # Where
    data_dir: Path = Field(
        default_factory=_default_data_dir, description="Folder that holds everything: database, uploads, indexes, keys."
    )
    host: str = Field("127.0.0.1", description="Address to listen on. Beyond loopback, ZUINIG_PUBLIC_URL must be set.")
    port: int = Field(8321, ge=1, le=65535, description="Port to listen on.")
    public_url: str | None = Field(
        None, description="Address under which people reach the service; needed to listen beyond loopback."
    )
    allow_plain_http: bool = Field(
        False,
        description="Accept a public URL without TLS on an address that is not loopback. Keys travel in the clear.",
    )
    database_url: str | None = Field(
        None, description="SQLAlchemy URL of an SQLite database. Unset: zuinig.db in the data directory."
    )

    # Look
    currency: str = Field("EUR", pattern="^[A-Z]{3}$", description="ISO 4217 code in which costs are shown.")
    language: Literal["en", "nl"] = Field("en", description="Language of the portal where the browser names neither.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Log level. No document or question text is logged at info and above."
    )
    log_format: Literal["console", "json"] = Field("console", description="How log lines are written.")

    # Ingestion
    max_upload_mb: int = Field(100, ge=1, description="Largest file accepted, in MB.")
    max_files_per_upload: int = Field(500, ge=1, description="Most files in one upload request.")
    max_body_mb: int = Field(1024, ge=1, description="Largest request body accepted for uploads and imports, in MB.")
    parse_timeout_s: float = Field(60, gt=0, description="Longest time for reading one file, in seconds.")
    parse_memory_mb: int = Field(2048, ge=256, description="Most memory for reading one file, in MB.")
    max_text_chars: int = Field(20_000_000, ge=1000, description="Most characters of text taken from one file.")
    passage_tokens: int = Field(180, ge=32, le=480, description="Size of a passage, in tokens of the embedder.")
    passage_overlap_tokens: int = Field(
        24, ge=0, le=200, description="Tokens that a passage repeats of the one before it, in whole sentences."
    )
    ingest_workers: int = Field(
        2, ge=0, le=16, description="Files read at a time; 0 leaves the work to other processes."
    )
    lease_s: float = Field(
        60, gt=1, description="Seconds without a sign of life after which a worker's file is taken over."
    )
    max_attempts: int = Field(5, ge=1, description="How often a file is tried whose worker died, before it fails.")

    # Retrieval
    embedder: str = Field(
        "all-MiniLM-L6-v2-int8",
        description="Shipped embedder, the absolute path of a folder that `zuinig model quantise` made, or any "
        "sentence-transformers model by name or path (extra `torch`).",
    )
    embed_threads: int = Field(
        0, ge=0, description="Batches embedded at a time, one thread each; 0 means one per core but no more than four."
    )
    embed_batch: int = Field(8, ge=1, description="Texts in a batch.")
    vector_store: str = Field("faiss", description="Vector index: `faiss`, or `exact` (NumPy, the reference).")
    vector_codec: Codec = Field(
        Codec.SQ8,
        description="How the index keeps vectors: `float32`, `sq8` (a quarter of that), `rabitq` (a 27th). "
        "The best are compared anew by the float32 vectors in the database. `exact` keeps `float32` only.",
    )
    reader: str = Field("reader-int8", description="Shipped model that reads passages for a question, or a folder.")
    reader_passages: int = Field(
        10, ge=1, le=50, description="Passages read for a question; half as many take half the time."
    )
    reader_timeout_ms: float = Field(
        4000, gt=0, description="Longest time for reading, in ms; what is not read by then is no evidence."
    )
    specialist_wrong_budget: float = Field(
        0.05,
        ge=0,
        le=0.5,
        description="Share of what the reader answers alone that may be wrong; where a language model can be asked "
        "instead, at most 0.03.",
    )
    packing: Packing = Field(
        Packing.SENTENCES,
        description="What an LLM gets to read: `full` passages, the `sentences` that matter, or `tight`: fewer.",
    )
    context_budget_tokens: int = Field(600, ge=50, description="Most tokens of document text sent to an LLM.")

    # Memory
    memory_wrong_budget: float = Field(
        0.01,
        ge=0,
        le=0.2,
        description="Share of the answers out of memory that may be wrong; 0 serves only the same words.",
    )
    verifier: str = Field(
        "same-question-int8", description="Shipped model that says whether two questions are the same, or a folder."
    )

    verifier_timeout_s: float = Field(
        2, gt=0, description="Longest wait for the verifier on one question, in seconds; then memory does not answer."
    )
    suggest_every_minutes: float = Field(
        30, ge=0, description="How often suggestions for curators are gathered, in minutes; 0 only when asked for."
    )

    # LLM
    llm: str | None = Field(
        None,
        description="`openai:NAME` (or a compatible server, by ZUINIG_LLM_BASE_URL), `anthropic:NAME`, `ollama:NAME`, "
        "or `llamacpp:FILE`, a GGUF file (extra `llamacpp`). Unset: quotes.",
    )
    llm_base_url: str | None = Field(None, description="Base URL of the LLM server.")
    llm_api_key: SecretStr | None = Field(None, description="Key for the LLM server.")
    llm_timeout_s: float = Field(60, gt=0, description="Longest wait for the LLM's next piece of answer, in seconds.")
    llm_retries: int = Field(2, ge=0, description="How often a call is tried again after an error that may pass.")
    llm_max_output_tokens: int = Field(
        400, ge=16, description="Longest answer asked of an LLM, in tokens; a question for a fact gets less."
    )
    llm_context_window_tokens: int = Field(
        8192, ge=512, description="Window of the model; prompt and reserved output never exceed it."
    )
    llm_price_prompt: Decimal = Field(
        Decimal(0), ge=0, description="Price of a million prompt tokens, in ZUINIG_CURRENCY."
    )
    llm_price_completion: Decimal = Field(
        Decimal(0), ge=0, description="Price of a million completion tokens, in ZUINIG_CURRENCY."
    )
    llm_large: str | None = Field(
        None,
        description="A larger LLM, named as ZUINIG_LLM, asked only where that one's answer fails the checks, or mostly "
        "fails them for such questions.",
    )
    llm_large_base_url: str | None = Field(None, description="Base URL of the larger LLM's server.")
    llm_large_api_key: SecretStr | None = Field(
        None, description="Key for it. Unset: ZUINIG_LLM_API_KEY where provider and base URL are the same."
    )
    llm_large_context_window_tokens: int = Field(
        8192, ge=512, description="Window of the larger model; prompt and reserved output never exceed it."
    )
    llm_large_price_prompt: Decimal = Field(
        Decimal(0), ge=0, description="Price of a million of its prompt tokens, in ZUINIG_CURRENCY."
    )
    llm_large_price_completion: Decimal = Field(
        Decimal(0), ge=0, description="Price of a million of its completion tokens, in ZUINIG_CURRENCY."
    )
    tokenizer: Literal["o200k_base", "cl100k_base"] = Field(
        "o200k_base", description="Encoding that counts tokens; both are shipped."
    )

    # People
    new_collections: Literal["everyone", "nobody"] = Field(
        "everyone",
        description="Who may read a collection that an upload makes, until an admin says otherwise: `everyone`, or "
        "`nobody` but admins and curators.",
    )

    oidc_issuer: str | None = Field(
        None, description="Issuer of an OpenID Connect provider by which people sign in to the portal."
    )
    oidc_client_id: str | None = Field(None, description="What the provider knows this service by.")
    oidc_client_secret: SecretStr | None = Field(
        None, description="Its secret there. Unset: a public client, by PKCE alone."
    )
    oidc_label: str = Field("OpenID Connect", max_length=60, description="What the button to sign in by it says.")
    oidc_scopes: str = Field("openid profile email", description="Scopes that the provider is asked for.")
    oidc_name_claim: str = Field(
        "preferred_username", description="Claim that becomes a person's name here: `preferred_username` or `email`."
    )
    oidc_groups_claim: str = Field(
        "groups", description="Claim that names a person's groups; those that exist here count, anew at each sign-in."
    )
    oidc_admin_group: str | None = Field(
        None, description="Group of the provider whose members are admins. With it, roles follow the provider."
    )
    oidc_curator_group: str | None = Field(None, description="Group of the provider whose members are curators.")
    oidc_create_users: bool = Field(
        True, description="Whether whoever the provider lets in gets an account, as a reader, at the first sign-in."
    )

    # Keeping and forgetting
    audit_questions: bool = Field(
        False,
        description="Whether the audit log holds the text of each question. It can never be taken out again, not even "
        "by `zuinig forget`.",
    )
    keep_conversations_days: int = Field(
        0, ge=0, description="Days after its last question that a conversation is removed; 0 keeps it for ever."
    )
    keep_ledger_text_days: int = Field(
        0,
        ge=0,
        description="Days after which the texts of a question and its answer are removed, also of a conversation that "
        "goes on; the ledger keeps their numbers. 0 keeps them for ever.",
    )
    keep_uploads_days: int = Field(
        0,
        ge=0,
        description="Days after its bytes were last sent that a document is deleted, with all that rests on it; 0 "
        "keeps it for ever. A folder that is ingested again counts as sent.",
    )

    # Service
    request_threads: int = Field(
        16, ge=2, le=256, description="Requests worked on at a time, apart from questions; more wait their turn."
    )
    question_threads: int = Field(
        16,
        ge=1,
        le=256,
        description="Questions worked on at a time that memory does not answer, and as many looked up in it. More wait "
        "by round robin over users and keys; uploads never wait for them.",
    )
    questions_waiting: int = Field(
        2000, ge=0, description="Most questions that wait; beyond it the longest line gets 503 with Retry-After."
    )
    question_wait_s: float = Field(
        600, gt=0, description="Longest wait for a turn, in seconds; then 503 with Retry-After."
    )
    receive_timeout_s: float = Field(
        30,
        gt=0,
        description="Longest silence of a client that is sending a request, in seconds; its headers must be there by "
        "then, and its body must not trickle.",
    )
    # Limits. The library's notation: `60/minute`, `10/second; 5000/day`.
    limit_requests: str | None = Field(
        None, description="Requests of a user (else of a key) in a while, such as `600/minute`. Unset or `off`: any."
    )
    limit_requests_per_address: str | None = Field(
        None,
        description="Requests from one address in a while, whoever sends them; an office behind one address is one. "
        "Unset or `off`: any.",
    )
    limit_questions: str | None = Field(
        None,
        description="Questions of a user or key in a while, such as `60/minute; 2000/day`; searches and lookups count.",
    )
    limit_uploads: str | None = Field(
        None, description="Files that a user or key may upload in a while, such as `5000/day`."
    )
    limit_sign_ins: str | None = Field(
        "60/minute; 500/hour",
        description="Sign-ins to the portal, and wrong API keys, from one address in a while; `off`: any.",
    )
    limit_store: str = Field(
        "memory://",
        description="Where it is counted: `memory://`, lost at a restart, or `redis://HOST:6379/0` (extra `redis`), "
        "for several processes together.",
    )
    trusted_proxies: str | None = Field(
        None,
        description="Addresses or networks of proxies, parted by commas. Only from these is X-Forwarded-For believed, "
        "by its right-most address that is none of them, and X-Forwarded-Proto.",
    )
    session_hours: float = Field(12, gt=0, description="How long a portal session lasts, in hours.")

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, text: str | None) -> str | None:
        for part in (text or "").split(","):
            if part.strip():
                ip_network(part.strip())
        return text

    @property
    def proxies(self) -> list[str]:
        return [part.strip() for part in (self.trusted_proxies or "").split(",") if part.strip()]

    @model_validator(mode="before")
    @classmethod
    def _secrets_of_files(cls, given: dict[str, Any]) -> dict[str, Any]:
        """ZUINIG_..._FILE holds the path of a secret, as Docker and Kubernetes mount them: an environment is easily
        read by others, with `docker inspect` or out of a crash report.
        """
        for name in secrets():
            path = os.environ.get(f"ZUINIG_{name.upper()}_FILE")
            if not path:
                continue
            if given.get(name):
                raise ValueError(f"set ZUINIG_{name.upper()} or ZUINIG_{name.upper()}_FILE, not both")
            given[name] = _first_line(Path(path), f"ZUINIG_{name.upper()}_FILE")
        return given

    @cached_property
    def url(self) -> str:
        """SQLAlchemy URL of the database. Raises ConfigurationError for anything but SQLite."""
        url = self.database_url or f"sqlite:///{self.data_dir / 'zuinig.db'}"
        if not url.startswith("sqlite:///"):
            raise ConfigurationError(
                "ZUINIG_DATABASE_URL must begin with sqlite:///; other databases are not supported yet."
            )
        return url

    @property
    def files_dir(self) -> Path:
        return self.data_dir / "files"

    @property
    def index_dir(self) -> Path:
        return self.data_dir / "indexes"

    @property
    def base_url(self) -> str:
        """Without a trailing slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @property
    def secure_cookies(self) -> bool:
        return self.base_url.startswith("https://")

    def check_exposure(self) -> None:
        """Refuse defaults that are safe on loopback only. Raises ConfigurationError."""
        if is_loopback(self.host):
            return
        if not self.public_url:
            raise ConfigurationError(
                f"ZUINIG_HOST={self.host} listens beyond this machine. Set ZUINIG_PUBLIC_URL to the https:// address "
                "under which people reach the service, so that cookies and host names can be checked against it."
            )
        parts = urlsplit(self.public_url)
        if parts.scheme == "https" or is_loopback(parts.hostname or ""):
            return
        if not self.allow_plain_http:
            raise ConfigurationError(
                "ZUINIG_PUBLIC_URL is not https:// so that keys and answers would travel in the clear. Put a proxy "
                "with TLS in front of the service, or set ZUINIG_ALLOW_PLAIN_HTTP=true on a network you trust."
            )


def secrets() -> list[str]:
    """Names of the settings that are secrets, each of which may come from a file."""
    return [
        n for n, field in Settings.model_fields.items() if SecretStr in (field.annotation, *get_args(field.annotation))
    ]


def _first_line(path: Path, setting: str) -> str:
    try:
        found = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{setting} names a file that cannot be read: {path}") from error
    if not found:
        raise ValueError(f"{setting} names an empty file: {path}")
    return found


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def load() -> Settings:
    """Settings from the environment. Raises ConfigurationError with every variable that is wrong, and why."""
    try:
        return Settings()
    except ValidationError as error:
        lines = [
            f"ZUINIG_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" if e["loc"] else e["msg"]
            for e in error.errors()
        ]
        raise ConfigurationError("Settings that cannot be used: " + "; ".join(lines)) from error


def markdown() -> str:
    """The table of docs/settings.md."""
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        shown = (
            ""
            if field.is_required() or field.default_factory or field.default is None
            else f"`{_plain(field.default)}`"
        )
        if name == "data_dir":
            shown = "`~/.local/share/zuinig`"
        meaning = field.description or ""
        if name in secrets():
            meaning += f" Or the path of a file that holds it, in `ZUINIG_{name.upper()}_FILE`."
        rows.append(f"| `ZUINIG_{name.upper()}` | {shown or 'unset'} | {meaning.replace('|', '/')} |")
    return "\n".join(rows) + "\n"


_INTRODUCTION = """# Settings

Environment variables, read at the start. This page is made of `zuinig/core/settings.py`:
`python -m zuinig.core.settings > docs/settings.md`.

"""


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    sys.stdout.write(_INTRODUCTION + markdown())
