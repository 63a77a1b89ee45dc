"""A setting's value is a file's name: `faiss` is `retrieval/stores/faiss.py`. Adding one touches one file."""

import importlib
import pkgutil
from types import ModuleType

from zuinig.core.errors import ConfigurationError


def names(package: ModuleType) -> list[str]:
    """The adapters that stand in a port's folder, sorted. Names that begin with an underscore are helpers."""
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_"))


def load(package: ModuleType, name: str, *, setting: str) -> ModuleType:
    """Import the adapter. Raises ConfigurationError naming the setting and what could stand there."""
    if name not in names(package):
        raise ConfigurationError(f"{setting} is {name!r}; choose one of: {', '.join(names(package))}.")
    return importlib.import_module(f"{package.__name__}.{name}")
