"""The normal form of a question: what a repeat in the same words is found by."""

import hashlib
import unicodedata

# Marks at the edge of a word carry no meaning; those inside (v1.2, C++, 10%) do.
_EDGE = "?!.,;:\"'`“”‘’„«»¿¡()[]"


def normal_form(question: str) -> str:
    """Case, white space, and marks at the edges of words folded; nothing else: `C++` and `C#` stay apart."""
    text = unicodedata.normalize("NFKC", question).casefold().replace("’", "'")
    tokens = (t.strip(_EDGE) for t in text.split())
    return " ".join(t for t in tokens if t)


def question_key(question: str) -> str:
    """sha256 of the normal form."""
    return hashlib.sha256(normal_form(question).encode()).hexdigest()
