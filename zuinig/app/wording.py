"""What the service itself says in an answer, in the language of the question."""

from collections.abc import Sequence

from zuinig.retrieval.sentences import Sentence
from zuinig.retrieval.words import words

_DUTCH = frozenset(
    "de het een wat welke hoe waar wanneer wie waarom ik mijn je jij mag kan moet zijn wordt niet geen voor met naar "
    "en of op aan bij hoeveel krijg heb is".split()
)
_ENGLISH = frozenset(
    "the a an what which how where when who why i my you may can must are does do not for with to and or on at by "
    "much many get have is".split()
)


def is_dutch(question: str) -> bool:
    found = words(question)
    return sum(w in _DUTCH for w in found) > sum(w in _ENGLISH for w in found)


def not_covered(question: str) -> str:
    if is_dutch(question):
        return "De documenten geven hier geen antwoord op. Vraag een collega, of voeg een document toe."
    return "The documents do not cover this. Ask a colleague, or add a document that describes it."


def quotes(question: str, sentences: Sequence[Sentence]) -> str:
    """Labelled as what they are, each with the number of its citation."""
    intro = "Uit de documenten:" if is_dutch(question) else "Quoted from the documents:"
    lines = [f"“{s.shown}” [{n}]" for n, s in enumerate(sentences, 1)]
    return f"{intro} {lines[0]}" if len(lines) == 1 else "\n".join([intro, *(f"- {line}" for line in lines)])
