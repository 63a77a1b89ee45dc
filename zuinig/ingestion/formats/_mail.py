"""What every email is made of, whatever its container."""

from collections.abc import Iterable, Sequence

from zuinig.core.types import Block, BlockKind, Parsed
from zuinig.ingestion.formats import _html
from zuinig.ingestion.formats._text import inline, paragraphs


def message(
    headers: Iterable[tuple[str, str]], *, subject: str, html: str, plain: str, attachments: Sequence[str]
) -> Parsed:
    """Attachments are named and not read: each is a document of its own."""
    head = "\n".join(f"{name}: {inline(value)}" for name, value in headers if inline(value))
    body = _html.parse(html) if html.strip() else Parsed(())
    blocks = [Block(BlockKind.TEXT, head), *(body.blocks or paragraphs(plain))]
    if attachments:
        blocks.append(Block(BlockKind.TEXT, f"Attachments: {', '.join(map(inline, attachments))}"))
    return Parsed(tuple(blocks), inline(subject) or None, body.hidden)
