"""Collections of documents with questions that people asked of them: what reading is fitted and measured on."""

import io
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zuinig.app.services import Services, build, parser
from zuinig.core.settings import Settings
from zuinig.ingestion.pipeline import work_one
from zuinig.training.question_pairs import lines
from zuinig.training.reading_pairs import for_fit, held_out

_NO_NAME = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class Asked:
    """around: the paragraph that answers. answers: its acceptable answers, word for word; none: it has no answer."""

    question: str
    document: str
    around: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DocumentSet:
    """texts: markdown by the document's name."""

    name: str
    texts: dict[str, str]
    asked: Sequence[Asked]

    def sample(self, answerable: int, unanswerable: int, seed: int = 1) -> list[Asked]:
        """So many of each, or all there are."""
        chance = random.Random(seed)
        with_answer, without = [[a for a in self.asked if bool(a.answers) == kind] for kind in (True, False)]
        return [
            *chance.sample(with_answer, min(answerable, len(with_answer))),
            *chance.sample(without, min(unanswerable, len(without))),
        ]


def squad(data: Path, *, kept_for: Literal["fit", "test"] = "test") -> DocumentSet:
    """The articles of squad_dev, with questions on those that no reader is trained on: one half of them is for fitting
    what is made of the reader, the other for figures.
    """
    texts: dict[str, str] = {}
    asked: dict[str, Asked] = {}
    for version in ("v2.0", "v1.1"):
        contexts = {c["pid"]: c for c in lines(data / f"squad_dev/dev-{version}.contexts.jsonl.gz")}
        for context in contexts.values():
            title = context["title"].replace("_", " ")
            known = texts.setdefault(title, f"# {title}")
            if context["context"] not in known:
                texts[title] = f"{known}\n\n{context['context']}"
        for row in lines(data / f"squad_dev/dev-{version}.questions.jsonl.gz"):
            context = contexts[row["pid"]]
            if held_out(context["title"]) and (kept_for == "fit") == for_fit(context["title"]):
                answers = () if row["is_impossible"] else tuple(dict.fromkeys(a["text"] for a in row["answers"]))
                title = context["title"].replace("_", " ")
                asked.setdefault(row["id"], Asked(row["question"], title, context["context"], answers))
    return DocumentSet("squad", texts, list(asked.values()))


def policies(data: Path) -> DocumentSet:
    """The same questions are asked of many policies: each is asked with the name of its site."""
    texts: dict[str, str] = {}
    contexts = {c["pid"]: c["context"] for c in lines(data / "policyqa/contexts.jsonl")}
    for pid, context in contexts.items():
        title = pid.split("#")[0]
        texts[title] = texts.get(title, f"# {title}") + "\n\n" + context
    asked: dict[tuple[str, str], Asked] = {}
    for row in lines(data / "policyqa/questions.jsonl.gz"):
        title = row["pid"].split("#")[0]
        found = tuple(a["text"] for a in row["answers"])
        known = asked.get((title, row["question"]))
        answers, around = (known.answers, known.around) if known else ((), "")
        context = contexts[row["pid"]]
        around = around if context in around else f"{around}\n{context}"
        asked[title, row["question"]] = Asked(
            f"{row['question'].rstrip('? ')} ({title})?", title, around, tuple(dict.fromkeys((*answers, *found)))
        )
    return DocumentSet("policyqa", texts, list(asked.values()))


def papers(data: Path, *, kept_for: Literal["fit", "test"] = "test") -> DocumentSet:
    """The articles of covid_qa, with questions on one half of them for fitting and on the other for figures.

    What stands around an answer is the text 300 characters to both sides of it.
    """
    texts: dict[str, str] = {}
    whole = {d["document_id"]: d["context"] for d in lines(data / "covid_qa/documents.jsonl.gz")}
    titles = {i: f"{text.strip().splitlines()[0][:120]} ({i})" for i, text in whole.items()}
    for i, text in whole.items():
        texts[titles[i]] = f"# {titles[i]}\n\n{text}"
    asked = []
    for row in lines(data / "covid_qa/questions.jsonl"):
        i, answer = row["document_id"], row["answers"][0]
        if i in whole and answer["answer_start"] is not None and (kept_for == "fit") == for_fit(titles[i]):
            at = answer["answer_start"]
            around = whole[i][max(0, at - 300) : at + len(answer["text"]) + 300]
            asked.append(Asked(row["question"], titles[i], around, (answer["text"].strip(),)))
    return DocumentSet("covid_qa", texts, asked)


def written(folder: Path, name: str) -> DocumentSet:
    """Documents in a folder of that name, and questions that were written about them in name.jsonl beside it.

    A line of the questions: question, document (its path in the folder), sentence (that answers) and answer (a piece of
    it), both empty where no document answers.
    """
    texts = {
        str(file.relative_to(folder / name)): file.read_text(errors="replace")
        for file in sorted((folder / name).rglob("*.md*"))
    }
    asked = [
        Asked(row["question"], row["document"], row["sentence"], (row["answer"],) if row["answer"] else ())
        for row in lines(folder / f"{name}.jsonl")
    ]
    return DocumentSet(name, texts, asked)


def filename(document: str) -> str:
    """Under which `ingest` uploads it."""
    plain = _NO_NAME.sub(" ", document.removesuffix(".md").removesuffix(".mdx"))
    return f"{plain[-72:].strip(' .-')}.md"


def ingest(texts: dict[str, str], folder: Path, *, reader: Path | None = None) -> Services:
    """A service in that folder that holds the documents. reader: a folder, in place of the shipped one."""
    settings = Settings(data_dir=folder, ingest_workers=0)
    services = build(settings if reader is None else settings.model_copy(update={"reader": str(reader.absolute())}))
    fill(services, texts)
    return services


def fill(services: Services, texts: dict[str, str]) -> None:
    for title, text in texts.items():
        services.uploads.accept(filename(title), io.BytesIO(text.encode()), "default")
    with parser(services.settings) as reading:
        while work_one(services.pipeline, services.queue, reading):
            pass
