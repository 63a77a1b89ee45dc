"""Models of the service's own, trained on its memory: where they stand, which is in use, and which was before.

DATA/models/<kind>/<name>/    a model, as `zuinig/models` holds the shipped ones
DATA/models/<kind>/current    the names that were in use, one a line, the last of them now
DATA/models/<kind>/training/  what a training that is not finished goes on from
"""

import os
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from zuinig.core.errors import BadRequest, NotFound
from zuinig.core.files import flush
from zuinig.core.settings import Settings
from zuinig.retrieval.embed import MODELS

Kind = Literal["reader", "verifier", "embedder"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SHIPPED = "shipped"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TRAINING, _CURRENT = "training", "current"


@dataclass(frozen=True, slots=True)
class Listed:
    """name: as `zuinig model use` takes it."""

    kind: Kind
    name: str
    folder: Path
    in_use: bool

    @property
    def bytes(self) -> int:
        return sum(p.stat().st_size for p in self.folder.iterdir() if p.is_file())


class OwnModels:
    """Of one data directory. It is safe to change what is in use beside a running service, which looks now and then."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / "models"

    def in_use(self, kind: Kind) -> str:
        """The name of the model, SHIPPED where none of its own is in use."""
        return self._used(kind)[-1]

    def folder(self, kind: Kind, name: str) -> Path:
        """Raises NotFound, naming what there is."""
        if name == SHIPPED:
            return MODELS / shipped(kind)
        found = self._root / kind / name
        if not _NAME.fullmatch(name) or name == _TRAINING or not (found / "config.json").is_file():
            there = ", ".join(x.name for x in self.listed(kind))
            raise NotFound(f"There is no {kind} named {name!r}; there are: {there}.", param="name")
        return found

    def listed(self, kind: Kind) -> list[Listed]:
        """The shipped one, then the others, oldest first."""
        own = sorted(p.parent.name for p in (self._root / kind).glob("*/config.json") if p.parent.name != _TRAINING)
        used = self.in_use(kind)
        folders = {SHIPPED: MODELS / shipped(kind), **{name: self._root / kind / name for name in own}}
        return [Listed(kind, name, folder, name == used) for name, folder in folders.items()]

    def use(self, kind: Kind, name: str) -> None:
        """From now on, or as of the next start. Raises NotFound."""
        self.folder(kind, name)
        used = self._used(kind)
        if used[-1] != name:
            self._write(kind, [*used, name])

    def rollback(self, kind: Kind) -> str:
        """Back to what was in use before; returns its name. Raises BadRequest where there was nothing else."""
        used = self._used(kind)
        if len(used) < 2:
            raise BadRequest(f"There is nothing to roll back to: no {kind} but {used[-1]} was in use.")
        self.folder(kind, used[-2])
        self._write(kind, used[:-1])
        return used[-2]

    def training(self, kind: Kind) -> Path:
        """The folder of a training that goes on or broke off."""
        folder = self._root / kind / _TRAINING
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def new_name(self, kind: Kind) -> str:
        """Never given before: the vectors of an embedder bear its name."""
        return f"{shipped(kind)}-{datetime.now(UTC):%Y%m%d-%H%M%S}"

    def add(self, kind: Kind, name: str, made: Path) -> Path:
        """Take over a finished folder of the same disk, whole; it is not in use yet."""
        target = self._root / kind / name
        for file in made.iterdir():
            flush(file)
        made.rename(target)
        flush(target.parent)
        return target

    def forget_training(self, kind: Kind) -> None:
        shutil.rmtree(self._root / kind / _TRAINING, ignore_errors=True)

    def _used(self, kind: Kind) -> list[str]:
        try:
            return (self._root / kind / _CURRENT).read_text().split() or [SHIPPED]
        except FileNotFoundError:
            return [SHIPPED]

    def _write(self, kind: Kind, used: list[str]) -> None:
        """Whole or not at all: a reader finds the old names or the new ones."""
        path = self._root / kind / _CURRENT
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_suffix(f".{os.getpid()}.new")
        fresh.write_text("".join(f"{name}\n" for name in used))
        flush(fresh)
        fresh.replace(path)
        flush(path.parent)


def shipped(kind: Kind) -> str:
    """The name of the model that comes with this version."""
    return str(Settings.model_fields[kind].default)


def named(settings: Settings, kind: Kind) -> str | None:
    """What the setting says; None where it was left alone, so that a model of its own may take the place."""
    return str(getattr(settings, kind)) if kind in settings.model_fields_set else None


def folder(settings: Settings, kind: Kind) -> Path:
    """The model that the service is to use. A setting goes before what was trained. Raises NotFound."""
    said = named(settings, kind)
    if said is None:
        own = OwnModels(settings.data_dir)
        return own.folder(kind, own.in_use(kind)).absolute()
    return MODELS / said if Path(said).name == said else Path(said)


def embedder(settings: Settings) -> str:
    """As `embed.load` takes it: a name, or a folder. Raises NotFound."""
    return named(settings, "embedder") or str(folder(settings, "embedder"))
