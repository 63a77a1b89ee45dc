"""PDF through its text layer. Lines come from PDFium with their place and size; paragraphs are put together here."""

import ctypes
import itertools
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium

from zuinig.core.errors import DocumentError
from zuinig.core.types import Block, BlockKind, Hidden, Parsed
from zuinig.ingestion.formats._hidden import TINY
from zuinig.ingestion.formats._reader import encrypted, reader
from zuinig.ingestion.formats._text import clean, inline
from zuinig.ingestion.formats._zip import named

LABELS = frozenset({"pdf"})

_BULLET = re.compile(r"([•‣◦▪●⁃➢➤✓\uf0b7\uf0a7]|[-–*](?= ))\s*")
_NUMBER = re.compile(r"(\(?(\d{1,2}|[a-z])[.)])\s+\S")
_ENDED = re.compile(r"[.!?:;…][\"'”’)\]]*$")
_HYPHENS = "\x02\ufffe"  # PDFium's signs for a hyphen at which a line was broken
_WORD_END = re.compile(r"([^\W\d_]{2,})-$")
_WORD_START = re.compile(r"[a-zà-öø-ÿ]{2,}")
_LARGER = 1.15
_HEADING_CHARS = 150
_HEADING_SHARE = 0.3  # above this share of the lines a large size marks no headings
_GROUNDS = (pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_SHADING)
_WHITE_FROM = 250  # of 255, in each part of a colour
_RUNNING_FROM = 4  # pages from which a repeated first or last line is a running header


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    page: int
    size: float
    left: float
    right: float
    bottom: float

    def same_row(self, other: "_Line") -> bool:
        shared = min(self.bottom + self.size, other.bottom + other.size) - max(self.bottom, other.bottom)
        return shared > 0.5 * min(self.size, other.size)


@reader("PDF")
def read(path: Path) -> Parsed:
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
            raise encrypted("PDF") from error
        raise
    hidden: list[Hidden] = []
    with closing(document):
        pages = [_lines(document, number, hidden) for number in range(len(document))]
        title = named(clean(document.get_metadata_value("Title")))
    if not any(pages):
        raise DocumentError(
            "This PDF has no text layer; run OCR on it first and upload the result.", code="no_text_layer"
        )
    return Parsed(tuple(_blocks(_without_running(pages))), title, tuple(hidden))


def _lines(document: pypdfium2.PdfDocument, number: int, hidden: list[Hidden]) -> list[_Line]:
    """hidden: takes what stands on the page and is not seen."""
    with closing(document[number]) as page, closing(page.get_textpage()) as text:
        # Character by character: PDFium's text of a whole page has not one position per character.
        characters = [chr(pdfium.FPDFText_GetUnicode(text, index)) for index in range(text.count_chars())]
        for how, first, end in _runs(_unseen(page, text, characters), characters):
            hidden.append(Hidden(how, inline("".join(characters[first:end])), number + 1))
            characters[first:end] = ["\n" if character == "\n" else " " for character in characters[first:end]]
        lines, start = [], 0
        for index, character in enumerate([*characters, "\n"]):
            if character == "\n" or character in _HYPHENS:
                end = index + (character in _HYPHENS)
                if line := _line(text, characters, start, end, number + 1):
                    lines.append(line)
                start = index + 1
        return lines


def _unseen(
    page: pypdfium2.PdfPage, text: pypdfium2.PdfTextPage, characters: Sequence[str]
) -> Iterator[tuple[int, str]]:
    """The characters that are not seen, in order, and why not.

    Text that is not painted is how OCR lays its words over a picture, and white text stands on coloured ground: where a
    page has any picture, or a shape or picture lies under the letters, both are taken to be seen.
    """
    grounds = [o.get_bounds() for o in page.get_objects(max_depth=3) if o.type in _GROUNDS]
    picture = any(o.type == pdfium.FPDF_PAGEOBJ_IMAGE for o in page.get_objects(max_depth=3))
    unpainted = not picture and any(
        _mode(o.raw) == pdfium.FPDF_TEXTRENDERMODE_INVISIBLE for o in page.get_objects((pdfium.FPDF_PAGEOBJ_TEXT,))
    )
    for index, character in enumerate(characters):
        if character.isspace():
            continue
        if unpainted and _mode(pdfium.FPDFText_GetTextObject(text, index)) == pdfium.FPDF_TEXTRENDERMODE_INVISIBLE:
            yield index, "style"
            continue
        left, bottom, right, top = _box(text, index)
        if 0 < top - bottom < TINY:
            yield index, "tiny"
        elif _is_white(text, index):
            x, y = (left + right) / 2, (bottom + top) / 2
            if not any(a <= x <= c and b <= y <= d for a, b, c, d in grounds):
                yield index, "colour"


def _runs(unseen: Iterator[tuple[int, str]], characters: Sequence[str]) -> list[tuple[str, int, int]]:
    """(why not, start, end) of unseen characters with nothing but white space between them."""
    found: list[tuple[str, int, int]] = []
    for index, how in unseen:
        if found and found[-1][0] == how and all(map(str.isspace, characters[found[-1][2] : index])):
            found[-1] = how, found[-1][1], index + 1
        else:
            found.append((how, index, index + 1))
    return found


def _mode(text: pdfium.FPDF_PAGEOBJECT) -> int:
    return int(pdfium.FPDFTextObj_GetTextRenderMode(text)) if text else 0


def _is_white(text: pypdfium2.PdfTextPage, index: int) -> bool:
    parts = [ctypes.c_uint() for _ in range(4)]
    found = pdfium.FPDFText_GetFillColor(text, index, *map(ctypes.byref, parts))
    red, green, blue, alpha = (part.value for part in parts)
    return bool(found) and (alpha == 0 or min(red, green, blue) >= _WHITE_FROM)


def _line(text: pypdfium2.PdfTextPage, characters: list[str], start: int, end: int, page: int) -> _Line | None:
    seen = [index for index in range(start, end) if not characters[index].isspace() and clean(characters[index])]
    if not seen:
        return None
    left, bottom, right, _ = _box(text, seen[0])
    # One letter may come from another font, so the middle one of three tells the size of the line.
    boxes = [_box(text, seen[at]) for at in (0, len(seen) // 2, -1)]
    size = statistics.median(box[3] - box[1] for box in boxes)
    return _Line("".join(characters[start:end]).strip(), page, size, left, max(right, boxes[-1][2]), bottom)


def _box(text: pypdfium2.PdfTextPage, index: int) -> tuple[float, float, float, float]:
    """Left, bottom, right, top; from the font's own height, so that it is the same for every letter of a line."""
    box = pdfium.FS_RECTF()
    if not pdfium.FPDFText_GetLooseCharBox(text, index, ctypes.byref(box)):
        return 0.0, 0.0, 0.0, 0.0
    return box.left, box.bottom, box.right, box.top


def _without_running(pages: list[list[_Line]]) -> list[list[_Line]]:
    """Without the lines at the top or the bottom of most pages, whatever number they carry; the first of them stays,
    for it may be the title."""
    if len(pages) < _RUNNING_FROM:
        return pages
    edges = Counter(key for page in pages for key in {_key(line) for line in _edges(page)})
    running = {key for key, count in edges.items() if count * 2 >= len(pages)}
    seen: set[str] = {key for key in running if not any(map(str.isalpha, key))}
    kept = []
    for page in pages:
        repeated = [line for line in _edges(page) if _key(line) in seen]
        seen |= running & {_key(line) for line in _edges(page)}
        kept.append([line for line in page if line not in repeated])
    return kept


def _edges(page: list[_Line]) -> list[_Line]:
    return page if len(page) < 4 else [*page[:2], *page[-2:]]


def _key(line: _Line) -> str:
    return re.sub(r"\d+", "#", inline(line.text))


def _blocks(pages: list[list[_Line]]) -> Iterator[Block]:
    lines = [line for page in pages for line in page]
    levels = _levels(lines)
    words = Counter(word.lower() for line in lines for word in re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", line.text))
    for page in pages:
        for group in _groups(page, levels):
            text = _joined(group, words)
            level = levels.get(round(group[0].size), 0)
            if level and len(text) <= _HEADING_CHARS and sum(map(str.isalpha, text)) > 2:
                yield Block(BlockKind.HEADING, text, level=level, page=group[0].page)
            elif bullet := _BULLET.match(text):
                yield Block(BlockKind.LIST_ITEM, text[bullet.end() :], page=group[0].page)
            elif _NUMBER.match(text):
                yield Block(BlockKind.LIST_ITEM, text, page=group[0].page)
            else:
                yield Block(BlockKind.TEXT, text, page=group[0].page)


def _levels(lines: list[_Line]) -> dict[int, int]:
    """Rounded line height -> heading level, for the heights clearly above that of the body."""
    sizes: Counter[int] = Counter()
    for line in lines:
        sizes[round(line.size)] += len(line.text)
    body = sizes.most_common(1)[0][0] if sizes else 0
    large = [size for size in sorted(sizes, reverse=True) if body and size >= max(body * _LARGER, body + 1)]
    if sum(round(line.size) in large for line in lines) > _HEADING_SHARE * len(lines):
        return {}
    levels: dict[int, int] = {}
    level, top = 0, 0.0
    for size in large:
        if size < 0.9 * top or not level:  # what differs by less is one size in two fonts
            level, top = min(level + 1, 6), size
        levels[size] = level
    return levels


def _groups(page: list[_Line], levels: dict[int, int]) -> Iterator[list[_Line]]:
    gaps = [gap for above, line in itertools.pairwise(page) if 0 < (gap := above.bottom - line.bottom) < 72]
    pitch = statistics.median_low(gaps) if gaps else 0.0
    edge = statistics.quantiles([line.right for line in page], n=10)[-1] if len(page) > 1 else 0.0
    group: list[_Line] = []
    for line in page:
        if group and _starts(line, group, pitch=pitch, edge=edge, levels=levels):
            yield group
            group = []
        group.append(line)
    if group:
        yield group


def _starts(line: _Line, group: list[_Line], *, pitch: float, edge: float, levels: dict[int, int]) -> bool:
    """Whether a paragraph begins with this line."""
    above = group[-1]
    gap = above.bottom - line.bottom
    if line.same_row(above) and line.left >= above.left:
        return False
    if levels.get(round(line.size), 0) != levels.get(round(group[0].size), 0):
        return True
    if levels.get(round(line.size)):
        return not 0 < gap < 1.7 * line.size
    if line.size > 0.8 * above.size and (_BULLET.match(line.text) or _NUMBER.match(line.text)):
        return True
    if above.text[-1] in _HYPHENS:
        return False
    if gap < 0:  # a new column, where a sentence may run on
        return bool(_ENDED.search(above.text)) or not line.text[0].islower()
    if gap > max(1.35 * pitch, 1.2 * line.size):
        return True
    ended = bool(_ENDED.search(above.text))
    indented = line.left > above.left + 0.8 * line.size and not _BULLET.match(group[0].text)
    short = above.right < group[0].left + 0.8 * (edge - group[0].left)
    return ended and (indented or short)


def _joined(group: list[_Line], words: Counter[str]) -> str:
    text, above = group[0].text, group[0]
    for line in group[1:]:
        text = _glue(
            text, line.text, words, touching=line.same_row(above) and line.left - above.right < 0.15 * line.size
        )
        above = line
    return inline(re.sub(f"[{_HYPHENS}]", "-", text))


def _glue(text: str, piece: str, words: Counter[str], *, touching: bool) -> str:
    """Two lines as one. A hyphen at the break goes, unless the document elsewhere writes the word with it."""
    if touching:
        return text + piece
    if text[-1] in _HYPHENS:
        text = text[:-1] + "-"
    broken, start = _WORD_END.search(text), _WORD_START.match(piece)
    if not broken or not start:
        return text + piece if text.endswith("-") else f"{text} {piece}"
    whole, hyphenated = broken[1].lower() + start[0], f"{broken[1].lower()}-{start[0]}"
    return text + piece if words[hyphenated] > words[whole] else text[:-1] + piece
