"""What a Word document holds and does not show: letters marked as hidden, white on white, or of next to no size."""

import io
from collections.abc import Iterator
from pathlib import Path

import docx
from docx.oxml.ns import qn
from lxml.etree import _Element

from zuinig.core.types import Hidden
from zuinig.ingestion.formats._hidden import TINY
from zuinig.ingestion.formats._text import inline

_OFF = ("0", "false", "off", "none")
_SHADED = (qn("w:shd"), qn("w:highlight"))
_GROUND = (qn("w:txbxContent"), qn("w:tblStyle"))


def without(path: Path) -> tuple[io.BytesIO | None, list[Hidden]]:
    """The document without it, or None where nothing had to go; and what went."""
    document = docx.Document(str(path))
    body = document.element.body
    by_style = {s.style_id for s in document.styles if _vanishes(s.element.find(qn("w:rPr")))}
    hidden: list[Hidden] = []
    last = None  # the paragraph that the last of them stood in
    for run in list(body.iter(qn("w:r"))):
        how = _how(run, by_style)
        if not how:
            continue
        if text := "".join(t.text or "" for t in run.iter(qn("w:t"))):
            if hidden and hidden[-1].how == how and run.getparent() is last:
                hidden[-1] = Hidden(how, hidden[-1].text + text)
            else:
                hidden.append(Hidden(how, text))
            last = run.getparent()
        run.getparent().remove(run)
    if not hidden:
        return None, []
    kept = io.BytesIO()
    document.save(kept)
    kept.seek(0)
    return kept, [Hidden(h.how, inline(h.text)) for h in hidden]


def _how(run: _Element, by_style: set[str]) -> str:
    properties = run.find(qn("w:rPr"))
    paragraph = next(run.iterancestors(qn("w:p")), None)
    of_paragraph = paragraph.find(qn("w:pPr")) if paragraph is not None else None
    named = {e.get(qn("w:val")) for p in (properties, of_paragraph) if p is not None for e in _styles(p)}
    if _vanishes(properties) or named & by_style:
        return "property"
    if properties is None:
        return ""
    size = properties.find(qn("w:sz"))
    if size is not None and (size.get(qn("w:val")) or "").isdigit() and int(size.get(qn("w:val"))) / 2 < TINY:
        return "tiny"
    colour = properties.find(qn("w:color"))
    white = colour is not None and (colour.get(qn("w:val")) or "").upper() == "FFFFFF"
    return "colour" if white and not _on_a_ground(run) else ""


def _styles(properties: _Element) -> Iterator[_Element]:
    for name in ("w:rStyle", "w:pStyle"):
        yield from properties.findall(qn(name))


def _vanishes(properties: _Element | None) -> bool:
    mark = properties.find(qn("w:vanish")) if properties is not None else None
    return mark is not None and (mark.get(qn("w:val")) or "").lower() not in _OFF


def _on_a_ground(run: _Element) -> bool:
    """Whether white letters can be read: on shading of their own, in a styled table or in a box."""
    for around in (run, *run.iterancestors()):
        if around.tag in _GROUND:
            return True
        for name in ("w:rPr", "w:pPr", "w:tcPr", "w:tblPr"):
            properties = around.find(qn(name))
            if properties is not None and any(properties.find(t) is not None for t in (*_SHADED, qn("w:tblStyle"))):
                return True
    return False
