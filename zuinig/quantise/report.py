"""What is told of a model that was made small."""

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[int, int], None]  # done, of how many


@dataclass(frozen=True, slots=True)
class Speed:
    what: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """of: how many it was measured on."""

    what: str
    value: float
    of: int
    share: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of the user's own. system, prompt: as a language model would get it; passages: found for it."""

    question: str
    system: str
    prompt: str
    passages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compared:
    speeds: tuple[Speed, ...]
    agreements: tuple[Agreement, ...]
