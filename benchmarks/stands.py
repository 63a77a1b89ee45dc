"""Whether an acceptable answer stands in a text, and what that makes of what a question was told."""

import re
from collections.abc import Sequence
from typing import Literal

# missed: nothing was answered, though the documents hold an answer. wrong: what was answered holds no acceptable one.
Verdict = Literal["right", "missed", "wrong"]


def stands(context: str, answers: Sequence[str]) -> bool:
    """Whether one of them stands there, as whole words."""
    text = " ".join(context.split())
    return any(re.search(rf"(?<!\w){re.escape(' '.join(answer.split()))}(?!\w)", text) for answer in answers)


def judge(said: str | None, answers: Sequence[str]) -> Verdict:
    """said: None where the asker was told that the documents do not answer; right where they do not: no answers."""
    if said is None:
        return "missed" if answers else "right"
    return "right" if stands(said, answers) else "wrong"
