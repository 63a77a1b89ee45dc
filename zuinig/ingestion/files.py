"""The bytes of uploads, kept under their own hash: no name that a user chose ever becomes a path."""

import hashlib
import os
import re
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4

_CHUNK = 1 << 20
_UNWANTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
# A byte of a file name that is not UTF-8 stands in a str as half a surrogate, which nothing can store.
_UNDECODED = re.compile("[\ud800-\udfff]")
_LONGEST_NAME = 200
_YOUNG_S = 3600


class Files:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"

    @contextmanager
    def receive(self, stream: IO[bytes]) -> Iterator[tuple[Path, str, int]]:
        """Spool an upload: (temporary path, sha256, bytes). It is gone after the block unless `keep` took it."""
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._incoming / uuid4().hex
        digest, size = hashlib.sha256(), 0
        try:
            with path.open("xb") as file:
                while chunk := stream.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            yield path, digest.hexdigest(), size
        finally:
            path.unlink(missing_ok=True)

    def keep(self, received: Path, sha256: str) -> None:
        """Move it to its place; the same bytes are kept once."""
        target = self.path(sha256)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        received.replace(target)

    def path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256

    def remove(self, sha256: str) -> None:
        self.path(sha256).unlink(missing_ok=True)

    def sweep(self, wanted: set[str]) -> int:
        """Remove what a killed process left: half-received files, and bytes that no version names. Returns how many.

        What is young may be on its way into another process.
        """
        old = time.time() - _YOUNG_S
        left = [p for p in self._folder.glob("*/*") if p.name not in wanted and p.stat().st_mtime < old]
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)


def clean_path(name: str) -> str:
    """What a browser or client called the file, as a relative path fit to be shown and compared; never to be opened.

    Control and direction characters go, as do drive letters, leading slashes and dots that climb.
    """
    name = _UNDECODED.sub(lambda byte: f"%{ord(byte[0]) & 0xFF:02X}", name)
    name = unicodedata.normalize("NFC", _UNWANTED.sub("", name)).replace("\\", "/")
    parts = [p.strip() for p in name.split("/")]
    kept = [_shorten(p) for p in parts if p not in ("", ".", "..") and not re.fullmatch(r"[A-Za-z]:", p)]
    return "/".join(kept[-20:]) or "unnamed"


def _shorten(name: str) -> str:
    if len(name) <= _LONGEST_NAME:
        return name
    stem, dot, suffix = name.rpartition(".")
    return f"{stem[: _LONGEST_NAME - len(suffix) - 2]}….{suffix}" if dot and len(suffix) <= 12 else name[:_LONGEST_NAME]
