"""HTML to blocks in one pass, without recursion: pages nest deeper than a stack goes."""

import re
from collections.abc import Iterator

import lxml.html
from lxml import etree

from zuinig.core.types import Block, BlockKind, Hidden, Parsed
from zuinig.ingestion.formats._hidden import unseen, white
from zuinig.ingestion.formats._text import inline, table

_SKIPPED = frozenset(
    re.findall(
        r"\w+",
        "script style template noscript head svg math iframe object audio video canvas map nav select button textarea",
    )
)
_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure "
        "footer form h1 h2 h3 h4 h5 h6 header hr legend li main ol p pre section summary table tbody td tfoot th thead "
        "tr ul",
    )
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LAYOUT = frozenset({*_HEADINGS, "table", "ul", "ol", "pre", "blockquote"})  # what no cell of a data table holds
_BOX = re.compile(r"(?i)</?(div|section|article|blockquote|center)\b[^<>]*>")
_INLINE = re.compile(r"(?i)</?(span|font|b|i|em|strong|a|u|small|big)\b[^<>]*>")
_BREAK = "\x1f"  # stands for <br> until the white space around it is gone
_CELL_CHARS = 1000
_SPAN = 100  # a file may claim that a cell spans a billion columns


def parse(markup: str) -> Parsed:
    """The visible text of a page or a piece of one; the title is that of the page. Raises RecursionError."""
    markup = re.sub("[\x00\ud800-\udfff]", "", markup)
    try:
        root = _tree(markup)
    except RecursionError:
        root = _tree(_INLINE.sub("", _BOX.sub("<hr>", markup)))
    if root is None:
        return Parsed(())
    title = inline(root.findtext(".//title") or "") or None
    hidden = list(_drop_hidden(root))
    return Parsed(tuple(_Walk().blocks(root)), title, tuple(hidden))


def _drop_hidden(root: etree._Element) -> Iterator[Hidden]:
    """What no reader of the page sees, as it is taken out; what is not text, such as scripts, goes without a word."""
    gone: set[etree._Element] = set()
    for element in list(root.iter()):
        if element is root:
            continue
        if element.getparent() in gone:
            gone.add(element)
            continue
        if element.tag is etree.Comment:
            how, text = "comment", element.text or ""
        elif not isinstance(element.tag, str) or element.tag in _SKIPPED:
            how, text = "", ""
        elif how := _how_hidden(element):
            text = " ".join(element.itertext())
        else:
            continue
        if inline(text):
            yield Hidden(how, inline(text))
        gone.add(element)
        _drop(element)


def _drop(element: etree._Element) -> None:
    """With all that is in it, but not what follows it."""
    parent, before = element.getparent(), element.getprevious()
    if element.tail:
        if before is not None:
            before.tail = (before.tail or "") + element.tail
        else:
            parent.text = (parent.text or "") + element.tail
    parent.remove(element)


def _tree(markup: str) -> etree._Element | None:
    parser = lxml.html.HTMLParser(remove_pis=True, huge_tree=True, encoding="utf-8")
    if not markup.strip():
        return None
    try:
        root = lxml.html.document_fromstring(markup.encode(), parser=parser, ensure_head_body=True)
    except etree.ParserError:  # no element at all, as in a lone comment or closing tag
        return None
    # libxml2 says so nowhere else when it stops at some depth and leaves the rest of the page out.
    if any(entry.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for entry in parser.error_log):
        raise RecursionError
    return root


class _Walk:
    def __init__(self) -> None:
        self.found: list[Block] = []
        self.buffer: list[str] = []
        self.kind = BlockKind.TEXT
        self.level = 0
        self.lists: list[int | None] = []  # per open list: the next number, or None where it has bullets
        self.marker = ""  # the number of the list item that is open
        self.pre = 0

    def blocks(self, root: etree._Element) -> list[Block]:
        walker = etree.iterwalk(root, events=("start", "end"))
        done: etree._Element | None = None  # a table whose cells have been read
        for event, element in walker:
            if event == "start" and done is None:
                if self.start(element):
                    self.buffer.append(element.text or "")
                else:
                    done = element
                    walker.skip_subtree()
            elif event == "end":
                if done is None:
                    self.end(element)
                elif element is done:
                    done = None
                if done is None and element is not root:
                    self.buffer.append(element.tail or "")
        self.flush()
        return self.found

    def start(self, element: etree._Element) -> bool:
        """False where the walk must not go inside."""
        tag = element.tag
        if tag == "br":
            self.buffer.append("\n" if self.pre else _BREAK)
        elif tag in _BLOCKS:
            self.flush()
        if tag in _HEADINGS:
            self.kind, self.level = BlockKind.HEADING, _HEADINGS[tag]
        elif tag in ("ul", "ol"):
            self.lists.append(_first(element) if tag == "ol" else None)
        elif tag == "li":
            self.item()
        elif tag == "pre":
            self.pre += 1
            self.kind = BlockKind.CODE
        elif tag == "table" and (data := _data(element)):
            self.found.append(Block(BlockKind.TABLE, table(data)))
            return False
        return True

    def end(self, element: etree._Element) -> None:
        tag = element.tag
        if tag in _BLOCKS:
            self.flush()
        if tag in ("ul", "ol") and self.lists:
            self.lists.pop()
        elif tag == "pre":
            self.pre -= 1
        if tag == "li" or tag == "pre" or tag in _HEADINGS:
            self.kind, self.level = BlockKind.TEXT, 0

    def item(self) -> None:
        self.kind, self.level = BlockKind.LIST_ITEM, max(len(self.lists) - 1, 0)
        number = self.lists[-1] if self.lists else None
        self.marker = "" if number is None else f"{number}. "
        if number is not None:
            self.lists[-1] = number + 1

    def flush(self) -> None:
        text = "".join(self.buffer)
        self.buffer.clear()
        if self.kind is BlockKind.CODE:
            self.found.append(Block(BlockKind.CODE, text.replace(_BREAK, "\n").strip("\n")))
            return
        for part in re.split(f"(?:{_BREAK}\\s*){{2,}}", text):
            lines = [line for piece in part.split(_BREAK) if (line := inline(piece))]
            if not lines:
                continue
            joined = (" " if self.kind is BlockKind.HEADING else "\n").join(lines)
            if self.kind is BlockKind.LIST_ITEM:
                joined = self.marker + joined
            self.found.append(Block(self.kind, joined, level=self.level))
            if self.kind is BlockKind.LIST_ITEM:  # further paragraphs of an item are text
                self.kind, self.level = BlockKind.TEXT, 0


def rows(element: etree._Element) -> Iterator[list[str]]:
    """The cells of a table, a merged cell once across and again in each row that it spans."""
    hanging: dict[int, tuple[int, str]] = {}  # column -> rows still to fill, text
    for row in element.iter("tr"):
        cells: list[str] = []

        def fill(cells: list[str] = cells) -> None:
            while (held := hanging.pop(len(cells), None)) is not None:
                if held[0] > 1:
                    hanging[len(cells)] = (held[0] - 1, held[1])
                cells.append(held[1])

        for cell in row.iterchildren("td", "th"):
            fill()
            text = inline(" ".join(cell.itertext()))
            down, across = _span(cell, "rowspan"), _span(cell, "colspan")
            for offset in range(across):
                if down > 1:
                    hanging[len(cells)] = (down - 1, text if offset == 0 else "")
                cells.append(text if offset == 0 else "")
        fill()
        yield cells


def _span(cell: etree._Element, name: str) -> int:
    value = (cell.get(name) or "1").strip()
    return min(max(int(value), 1), _SPAN) if value.isdecimal() else 1


def _first(element: etree._Element) -> int:
    start = element.get("start") or ""
    return int(start) if start.isdecimal() and len(start) < 6 else 1


def _how_hidden(element: etree._Element) -> str:
    """ "" where it is seen. What a style sheet or a script hides is not known here."""
    style = element.get("style") or ""
    if "hidden" in element.attrib or unseen(style):
        return "style"
    if not white(style) and (element.get("color") or "").lower() not in ("white", "#fff", "#ffffff"):
        return ""
    # On a ground of its own, or one that a style sheet may give, white letters can be read.
    around = (element, *element.iterancestors())
    grounds = any({"class", "id", "bgcolor", "background"} & set(e.attrib) for e in around if e.tag != "html")
    return "" if grounds or any("background" in (e.get("style") or "") for e in around) else "colour"


def _data(element: etree._Element) -> list[list[str]]:
    """The rows of a table; none if it only lays out the page, as structure or long texts in its cells show."""
    if element.get("role") in ("presentation", "none"):
        return []
    if any(inner is not element for inner in element.iter(*_LAYOUT)):
        return []
    found = list(rows(element))
    beside = any(sum(map(bool, row)) > 1 for row in found)
    return found if beside and all(len(cell) <= _CELL_CHARS for row in found for cell in row) else []
