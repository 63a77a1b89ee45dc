"""What in a document speaks to a language model rather than to a reader.

A logistic regression over hashed word n-grams and a few classes of words that instructions to a model are made of,
alone and in pairs. It judges windows of one and two sentences, so that one line hidden in a long passage is found.
`training/train_injection` makes its weights, models/injection/README.md says what it finds and what it cannot.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, Self
from zlib import crc32

import numpy as np
import numpy.typing as npt

from zuinig.core.errors import ConfigurationError
from zuinig.core.types import Flag, FlagKind, Hidden
from zuinig.ingestion.split import Draft
from zuinig.retrieval.sentences import split

WEIGHTS = Path(__file__).parent.parent / "models" / "injection" / "weights.npz"
BUCKETS = 1 << 14
_NGRAMS = 3
_WINDOW_WORDS = 40  # of a sentence that does not end
_MANY_WORDS = 12
_SAYS = 3  # words from which hidden text says something
_SHOWN_CHARS = 500
_MOST_HIDDEN = 20
_MOST_CHARS = 2000  # of a sentence that are read; `split` in ingestion leaves none that long

# Writing that a model reads as plain letters: of Greek and Cyrillic those that look like Latin ones.
_LOOKALIKES = str.maketrans("аеорсухіѕјԁӏкмтвнαοεινρτκ", "aeopcyxisjdlkmtbhaoeivptk")
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
_SPELLED = re.compile(r"\b(?:\w[ .\-_*]){4,}\w\b")  # i g n o r e
_WORD = re.compile(r"<\|?/?[a-z_]+\|?>|\[/?inst\]|###|[^\W_]+(?:['’][^\W_]+)*|[\"“”:!]")

# Classes of words, English and Dutch and some German, each a regular expression on folded text.
_CLASSES = {
    "ignore": r"ignor\w*|disregard\w*|forget|overrid\w*|set aside|pay no (?:attention|heed)|drop (?:all|every\w*|it)|"
    r"supersede\w*|replaces? (?:your|all)|negeer\w*|vergeet|trek je niets aan|geen acht op|opzij|laat .{0,20} los|"
    r"vergiss|vergessen|ignorier\w*|missachte\w*",
    "earlier": r"previous\w*|earlier|prior|above|preceding|before|so far|everything|all (?:the )?(?:other|rules)|"
    r"eerdere?|voorgaande\w*|voorafgaande\w*|hierboven|bovenstaande|hiervoor|alles|vorige|"
    r"vorherig\w*|bisherig\w*|obigen?|zuvor|davor|alles",
    "orders": r"instructions?|directives?|orders|prompts?|guidelines|rules|commands?|tasks?|assignments?|restrictions?|"
    r"instructies?|opdracht\w*|richtlijnen|regels|taak|taken|beperkingen|"
    r"anweisung\w*|aufgaben?|regeln|befehl\w*|anordnung\w*|angaben",
    "model": r"ai|a\.i\.|gpt\w*|chatgpt|chat ?bots?|bots?|llms?|language models?|assistants?|models?|summari[sz]ers?|"
    r"automated readers?|taalmodel\w*|ki|assistent\w*|ai-\w+|samenvatters?|automatische lezers|sprachmodell\w*",
    "you_are": r"(?:you are|you're) (?:now|no longer|an?|the|going)|you will now|act as|pretend\w*|role ?play\w*|"
    r"the (?:part|role) of|from now on|from here on|behave as|je bent (?:nu|een|de|geen)|je speelt|doe alsof|"
    r"gedraag je|de rol van|vanaf (?:nu|hier)|voortaan|du bist|tu so|ab (?:jetzt|sofort)|stell dir vor",
    "answer": r"answers?|repl(?:y|ies)|respond\w*|respon[sc]es?|output|print|say|state|claim|mention|summar\w+|"
    r"antwoord\w*|reageer\w*|zeg\w*|beweer\w*|vermeld\w*|noem\w*|samenvat\w*|meld\w*|"
    r"antwort\w*|sag\w*|beantworte\w*|schreibe?",
    "asker": r"the (?:user|reader|asker|person)(?:'s)?|users?|whoever|anyone who asks|who(?:ever)? asks|when asked|"
    r"de (?:gebruiker|lezer|vrager)|wie (?:erom|ernaar|het)|iemand|iedereen|dem (?:nutzer|benutzer)",
    "any": r"every|any|all|each|no matter|whatever|whenever|always|only|nothing else|never|word for word|"
    r"elke?|alle|altijd|alleen|nooit|wat (?:er )?ook|woordelijk|jede[rsnm]?|immer|nur|niemals",
    "reveal": r"reveal\w*|show|print|output|repeat|list|display|quote|leak\w*|expose|copy|give out|hand out|"
    r"toon|laat .{0,40} zien|geef .{0,60} weer|herhaal\w*|citeer|kopieer|zeig\w*|gib .{0,40} aus|wiederhol\w*",
    "secret": r"hidden|secret\w*|confidential|system prompt|system message|prompts?|passwords?|credentials?|"
    r"documents|api keys?|permission|not allowed|verborgen|geheim\w*|vertrouwelijk\w*|systeemprompt|wachtwoord\w*|"
    r"inloggegevens|documenten|geen recht|versteckt\w*|prompt-?texte?",
    "conceal": r"do(?:es)? not (?:tell|mention|reveal|say|admit)|don't (?:tell|mention|reveal|say)|never (?:admit|"
    r"mention|tell)|conceal\w*|leave out|without (?:telling|mentioning)|verzwijg\w*|geef nooit toe|laat .{0,40} weg|"
    r"niets over|noem .{0,40} (?:niet|geen|in geen)",
    "memory": r"remember|memori[sz]e|keep in mind|store in|in (?:your )?memory|verified fact|later (?:questions|"
    r"conversations)|onthoud|houd er .{0,60} rekening mee|in je geheugen|vaststaand feit|latere vragen|volgende "
    r"gesprekken|merke? dir",
    "system": r"system(?=:)|systeem(?=:)|administrator(?=:)|new instructions?|your (?:new|real|only|next) (?:task|job|"
    r"instruction)|real instruction|note to|to (?:the|any|all) (?:ai|assistants?|llms?|models?)|nieuwe instructies|"
    r"(?:nieuwe|enige|echte) (?:taak|opdracht)|aan de ai|opmerking voor|neue[nr]? (?:aufgabe|anweisung)\w*",
    "markup": r"<\|[a-z_]+\|>|\[/?inst\]|<</?sys>>|</?sources>|###? ?(?:instruction|response|system)s?:?|"
    r"(?:^|\s)(?:human|assistant|user) ?:(?=\s)",
    "address": r"https?://|www\.|\w@\w",
    "your": r"your|yourself|you|je|jij|jouw|u|uw|du|dein\w*|sie|ihre?",
    "quoted": r"[\"“„][^\"“”]{2,}[\"”“]",
    "should": r"must|should|have to|required|shall|moet\w*|dien\w*|verplicht|musst|sollst",
    "source": r"this (?:page|document|text|passage|paragraph|line|sentence|file)|other sources|cite|deze (?:pagina|"
    r"tekst|passage|alinea|regel|zin)|dit (?:document|bestand)|andere bronnen?",
}
_PATTERNS = {name: re.compile(rf"(?<!\w)(?:{p})(?!\w)" if name not in ("markup", "address", "quoted") else p)
             for name, p in _CLASSES.items()}  # fmt: skip
NAMED = (*_CLASSES, *("*".join(pair) for pair in combinations(_CLASSES, 2)), "first_verb", "exclaims", "words")
_PLACE = {name: n for n, name in enumerate(NAMED)}
# Imperatives that an instruction to a model opens with.
_FIRST = re.compile(
    r"^\W*(?:ignore|disregard|forget|pretend|act|answer|reply|respond|say|tell|print|output|repeat|reveal|show|write|"
    r"remember|store|instruct|describe|leave|set|stop|pay|negeer|vergeet|doe|antwoord|zeg|vertel|toon|herhaal|schrijf|"
    r"onthoud|sla|laat|zet|stop|noem|raad|beweer|reageer|kopieer|vraag|geef)\b"
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Features:
    """Of one window. named: indexes into NAMED; hashed: buckets of its n-grams, each once."""

    named: tuple[int, ...]
    hashed: tuple[int, ...]


def fold(text: str) -> str:
    """Small letters of one kind, without what is not seen and with spaced-out words put together."""
    plain = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).casefold().translate(_LOOKALIKES)
    return _SPELLED.sub(lambda m: re.sub(r"[ .\-_*]", "", m[0]), " ".join(plain.split()))


@dataclass(frozen=True, slots=True)
class Window:
    """Of a text, from start to end, with what the regression sees in it. alone: one sentence, or a piece of one."""

    start: int
    end: int
    features: Features
    alone: bool = True


@dataclass(frozen=True, slots=True)
class _Sentence:
    start: int
    end: int
    classes: frozenset[str]
    words: tuple[str, ...]
    orders: bool  # whether it opens as an order does


def windows(text: str) -> list[Window]:
    """Each sentence, pieces of one that goes on and on among them, then each two that follow one another."""
    found = [_sentence(text, *span) for start, end in split(text) for span in _pieces(text, start, end)]
    alone = [Window(s.start, s.end, _features([s])) for s in found]
    pairs = [(a, b) for a, b in pairwise(found) if b.start >= a.end]
    return [*alone, *(Window(a.start, b.end, _features([a, b]), alone=False) for a, b in pairs)]


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    words = [m.span() for m in re.finditer(r"\S+", text[start:end])]
    if len(words) <= 2 * _WINDOW_WORDS:
        yield start, end
        return
    for first in range(0, len(words) - _WINDOW_WORDS // 2, _WINDOW_WORDS // 2):
        yield start + words[first][0], start + words[min(first + _WINDOW_WORDS, len(words)) - 1][1]


def _sentence(text: str, start: int, end: int) -> _Sentence:
    folded = fold(text[start : min(end, start + _MOST_CHARS)])
    classes = frozenset(name for name, pattern in _PATTERNS.items() if pattern.search(folded))
    return _Sentence(start, end, classes, tuple(_WORD.findall(folded)), bool(_FIRST.match(folded)))


def _features(sentences: Sequence[_Sentence]) -> Features:
    classes = frozenset[str]().union(*(s.classes for s in sentences))
    there = [name for name in _CLASSES if name in classes]
    words = [w for s in sentences for w in s.words]
    named = [*there, *("*".join(pair) for pair in combinations(there, 2))]
    named += ["first_verb"] * any(s.orders for s in sentences)
    named += ["exclaims"] * ("!" in words) + ["words"] * (len(words) > _MANY_WORDS)
    grams = {" ".join(words[i : i + n]) for n in range(1, _NGRAMS + 1) for i in range(len(words) - n + 1)}
    return Features(tuple(_PLACE[n] for n in named), tuple({crc32(g.encode()) % BUCKETS for g in grams}))


@dataclass(frozen=True, slots=True)
class Detector:
    """named: (len(NAMED),), hashed: (BUCKETS,). threshold: chances from here on are flagged."""

    named: Floats
    hashed: Floats
    bias: float
    threshold: float

    @classmethod
    @cache
    def shipped(cls) -> Self:
        """Raises ConfigurationError."""
        return cls.load(WEIGHTS)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises ConfigurationError."""
        try:
            with np.load(path, allow_pickle=False) as file:
                scale, bias, threshold = file["numbers"].tolist()
                found = cls(file["named"].astype(float), file["hashed"].astype(float) * scale, bias, threshold)
        except (OSError, KeyError, ValueError) as error:
            raise ConfigurationError(f"The weights of the injection detector cannot be read: {error}") from error
        if found.named.shape != (len(NAMED),) or found.hashed.shape != (BUCKETS,):
            raise ConfigurationError("The weights of the injection detector are those of another version.")
        return found

    def save(self, path: Path) -> None:
        """The n-grams' weights with a byte each."""
        scale = float(np.abs(self.hashed).max()) / 127 or 1.0
        hashed = np.round(self.hashed / scale).astype(np.int8)
        numbers = np.array([scale, self.bias, self.threshold])
        np.savez_compressed(path, named=self.named.astype(np.float32), hashed=hashed, numbers=numbers)

    def chance(self, found: Features) -> float:
        """That this window speaks to a model."""
        hashed = self.hashed[list(found.hashed)].sum() / np.sqrt(max(len(found.hashed), 1))
        return float(1 / (1 + np.exp(-np.clip(self.named[list(found.named)].sum() + hashed + self.bias, -40, 40))))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """(start, end) of what speaks to a model, in order, none touching another.

        Two sentences are taken together only where neither of them does so alone.
        """
        found: list[tuple[int, int]] = []
        judged: list[tuple[int, int]] = []
        for w in windows(text):
            beside = not any(a < w.end and w.start < b for a, b in judged)
            if (w.alone or beside) and self.chance(w.features) >= self.threshold:
                judged.append((w.start, w.end))
        for start, end in sorted(judged):
            if found and start <= found[-1][1]:
                found[-1] = found[-1][0], max(end, found[-1][1])
            else:
                found.append((start, end))
        return found


def flags(text: str, at: int, detector: Detector, *, below: bool = False) -> tuple[Flag, ...]:
    """Of a passage that begins at this offset. below: whether a title above it speaks to a model: it goes along."""
    if below:
        return (Flag(FlagKind.HEADING, at, at + len(text)),)
    found = detector.spans(text)
    # The header of a table is read with each of its rows.
    if any(" | " in text[start:end] for start, end in found):
        return (Flag(FlagKind.INSTRUCTION, at, at + len(text)),)
    return tuple(Flag(FlagKind.INSTRUCTION, at + start, at + end) for start, end in found)


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What a document is suspected of. flags: for each passage; hidden: as it stands in the version's row."""

    flags: tuple[tuple[Flag, ...], ...]
    hidden: list[dict[str, Any]]

    @property
    def count(self) -> int:
        """Of the passages and hidden texts that speak to a model."""
        return sum(map(bool, self.flags)) + sum(bool(h["instruction"]) for h in self.hidden)


def suspicion_of(drafts: Sequence[Draft], hidden: Sequence[Hidden]) -> Suspicion:
    """Raises ConfigurationError where the weights cannot be read."""
    detector = Detector.shipped()
    heads = {context: bool(detector.spans(context)) for context in {d.context for d in drafts}}
    found = tuple(flags(d.text, d.start, detector, below=heads[d.context]) for d in drafts)
    told = [{**asdict(h), "instruction": bool(detector.spans(h.text))} for h in hidden if len(h.text.split()) >= _SAYS]
    told.sort(key=lambda h: not h["instruction"])
    return Suspicion(found, [{**h, "text": h["text"][:_SHOWN_CHARS]} for h in told[:_MOST_HIDDEN]])
