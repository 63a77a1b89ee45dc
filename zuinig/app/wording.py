"""What the service itself says in an answer, in the language of the question."""

from collections.abc import Sequence

from zuinig.retrieval.sentences import Sentence
from zuinig.retrieval.words import is_dutch


def not_covered(question: str) -> str:
    if is_dutch(question):
        return "De documenten geven hier geen antwoord op. Vraag een collega, of voeg een document toe."
    return "The documents do not cover this. Ask a colleague, or add a document that describes it."


def quotes(question: str, sentences: Sequence[Sentence]) -> str:
    """Labelled as what they are, each with the number of its citation."""
    return _listed("Uit de documenten:" if is_dutch(question) else "Quoted from the documents:", sentences)


def closest(question: str, sentences: Sequence[Sentence]) -> str:
    """What is shown beside saying that there may be no answer."""
    if is_dutch(question):
        return _listed("Misschien geven de documenten hier geen antwoord op. Het dichtst in de buurt komt:", sentences)
    return _listed("The documents may not answer this. What comes closest:", sentences)


def _listed(intro: str, sentences: Sequence[Sentence]) -> str:
    lines = [f"“{s.shown}” [{n}]" for n, s in enumerate(sentences, 1)]
    return f"{intro} {lines[0]}" if len(lines) == 1 else "\n".join([intro, *(f"- {line}" for line in lines)])
