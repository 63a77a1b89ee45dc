"""Markdown, with front matter, tables, admonitions and embedded HTML; the tags of MDX and of templates are dropped."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from zuinig.core.types import Block, BlockKind, Hidden, Parsed
from zuinig.ingestion.formats import _html
from zuinig.ingestion.formats._reader import reader
from zuinig.ingestion.formats._text import decode, inline, table

LABELS = frozenset({"markdown"})

_FRONT = re.compile(r"\A\s*(---|\+\+\+)[ \t]*\n(?P<inside>.*?\n)?(---|\+\+\+|\.\.\.)[ \t]*(\n|\Z)", re.S)
_TITLE = re.compile(r"^title\s*[:=]\s*(?P<title>.+?)\s*$", re.M)
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_MODULE = re.compile(r"(import\s.+\sfrom\s+['\"].+|import\s+['\"].+['\"];?|export\s+(const|default|let|function)\b.*)")
_ADMONITION = re.compile(r"(?P<indent>\s*)(!!!|\?\?\?\+?|===\+?)\s+(?P<kind>[\w-]*)\s*(\"(?P<title>[^\"]*)\")?.*")
_CONTAINER = re.compile(r"\s*:{3,}\s*[\w-]*\s*(\[(?P<box>.*)\]|\{.*\}|(?P<title>.*))\s*")
_TEMPLATE = re.compile(r"\{%.*?%\}|\{\{[<%].*?[>%]\}\}|\{:.*?\}|\{#[\w-]+\}|<!--.*?-->")
_CODE = re.compile(r"(?ms)^\s*(`{3,}|~{3,}).*?(?:^\s*\1|\Z)|`[^`\n]+`")
_COMMENT = re.compile(r"(?s)<!--(?P<comment>.*?)(?:-->|\Z)|(?m:^\[[^\]\n]*\]:\s*<?#>?\s+[(\"'](?P<label>.+)[)\"']\s*$)")
_CALLOUT = re.compile(r"\[!(\w+)\]\s*")

_PARSER = MarkdownIt("commonmark", {"maxNesting": 50}).enable(["table", "strikethrough"])


@reader("Markdown file")
def read(path: Path) -> Parsed:
    return parse(decode(path.read_bytes()))


def parse(text: str) -> Parsed:
    title = None
    if front := _FRONT.match(text):
        found = _TITLE.search(front["inside"] or "")
        title = found["title"].strip("'\"") if found else None
        text = text[front.end() :]
    hidden: list[Hidden] = list(_comments(text))
    return Parsed(tuple(_blocks(_PARSER.parse("\n".join(_plain(text.split("\n")))), hidden)), title, tuple(hidden))


def _comments(text: str) -> Iterator[Hidden]:
    """In either of the ways in which Markdown has them; what stands in code is shown and is none."""
    for match in _COMMENT.finditer(_CODE.sub("", text)):
        if said := inline(match["comment"] or match["label"] or ""):
            yield Hidden("comment", said)


def _plain(lines: list[str]) -> Iterator[str]:
    """Without what only a site generator understands; indented bodies of admonitions move to the margin."""
    fence = ""
    body: list[int] = []  # indents of the admonitions that are open
    for line in lines:
        while body and line.strip() and len(line) - len(line.lstrip()) < body[-1] + 4:
            body.pop()
        line = line[4 * len(body) :] if body and line.strip() else line
        mark = _FENCE.match(line)
        if mark and (not fence or (mark[1].startswith(fence) and line.strip() == mark[1])):
            fence = "" if fence else mark[1]
        elif not fence:
            if admonition := _ADMONITION.fullmatch(line):
                body.append(len(admonition["indent"]) + 4 * len(body))
                yield from ("", admonition["title"] or "", "")
                continue
            if _MODULE.fullmatch(line):
                continue
            if line.lstrip().startswith(":::") and (container := _CONTAINER.fullmatch(line)):
                yield from ("", container["box"] or container["title"] or "", "")
                continue
            written = _TEMPLATE.sub("", line)
            if line.strip() and not written.strip():
                continue  # a blank line here would end a piece of HTML in the middle
            line = written
        yield line


def _blocks(tokens: Sequence[Token], hidden: list[Hidden]) -> Iterator[Block]:
    """hidden: takes what embedded HTML hides; its comments are told of already."""
    lists: list[int | None] = []  # per open list: the next number, or None where it has bullets
    item: str | None = None  # the marker of an item whose first paragraph has not come yet
    heading = 0
    rows: list[list[str]] = []
    in_table = False
    for token in tokens:
        if token.type == "heading_open":
            heading = int(token.tag[1])
        elif token.type == "heading_close":
            heading = 0
        elif token.type in ("bullet_list_open", "ordered_list_open"):
            lists.append(int(token.attrGet("start") or 1) if token.type[0] == "o" else None)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            lists.pop()
        elif token.type == "list_item_open":
            number = lists[-1]
            item = "" if number is None else f"{number}. "
            lists[-1] = None if number is None else number + 1
        elif token.type == "table_open":
            rows, in_table = [], True
        elif token.type == "table_close":
            in_table = False
            yield Block(BlockKind.TABLE, table(rows))
        elif token.type == "tr_open":
            rows.append([])
        elif token.type == "fence" or (token.type == "code_block" and token.content.lstrip()[:1] != "<"):
            yield Block(BlockKind.CODE, token.content)
        elif token.type in ("html_block", "code_block"):  # HTML that is indented below a blank line is no code
            found = _html.parse(token.content)
            hidden += [h for h in found.hidden if h.how != "comment"]
            yield from found.blocks
        elif token.type == "inline":
            text = _readable(token.children or [])
            if in_table:
                rows[-1].append(inline(text))
            elif heading:
                yield Block(BlockKind.HEADING, inline(text), level=heading)
            elif item is not None:
                yield Block(BlockKind.LIST_ITEM, item + text, level=len(lists) - 1)
                item = None
            else:
                yield Block(BlockKind.TEXT, text)


def _readable(children: Sequence[Token]) -> str:
    parts = []
    for token in children:
        if token.type in ("text", "code_inline", "text_special"):
            parts.append(token.content)
        elif token.type == "softbreak":
            parts.append(" ")
        elif token.type == "hardbreak" or (token.type == "html_inline" and token.content.lower().startswith("<br")):
            parts.append("\n")
        elif token.type == "image" and any(other.type == "text" and other.content.strip() for other in children):
            parts.append(token.content)  # inside a sentence a picture stands for a word; alone it is decoration
    text = _CALLOUT.sub("", "".join(parts), count=1)
    return "\n".join(filter(None, (inline(line) for line in text.split("\n"))))
