"""Counting tokens as the LLM providers do: tiktoken, on rank files that ship with the package, so without a network."""

import hashlib
import os
from functools import cache
from pathlib import Path

import tiktoken

from zuinig.core.errors import ConfigurationError

# The files bear the names that tiktoken looks for in its cache: sha1 of the address it would download them from.
_FOLDER = Path(__file__).parent.parent / "data" / "tiktoken"
_FILES = {
    "cl100k_base": (
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
    "o200k_base": (
        "fb374d419588a4632f3f557e76b4b70aebbca790",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
}


class Tokens:
    def __init__(self, encoding: str) -> None:
        """Raises ConfigurationError when the shipped rank file is missing or damaged."""
        self._encoding = _load(encoding)

    def count(self, text: str) -> int:
        """Tokens of the text; text that looks like a special token counts as the plain text it is."""
        return len(self._encoding.encode_ordinary(text))

    def clip(self, text: str, limit: int) -> str:
        """The beginning of the text, of at most limit tokens."""
        tokens = self._encoding.encode_ordinary(text)
        return text if len(tokens) <= limit else self._encoding.decode(tokens[:limit]).rstrip("\ufffd")


@cache
def _load(encoding: str) -> tiktoken.Encoding:
    file, sha256 = _FILES[encoding]
    try:
        found = hashlib.sha256((_FOLDER / file).read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigurationError(f"The token file of {encoding} cannot be read; install Zuinig again.") from error
    # Checked first: tiktoken answers a wrong hash by deleting the file and downloading it.
    if found != sha256:
        raise ConfigurationError(f"The token file of {encoding} is damaged; install Zuinig again.")
    os.environ["TIKTOKEN_CACHE_DIR"] = str(_FOLDER)
    return tiktoken.get_encoding(encoding)
