"""What stands at the head of a GGUF file: metadata and the tensors' shapes and types, without the weights.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 2 and later, little-endian.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

from zuinig.core.errors import BadRequest

MAGIC = b"GGUF"
_FIXED = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_PLAIN_TYPES = {0: "F32", 1: "F16", 30: "BF16"}

Scalar = int | float | str


@dataclass(frozen=True, slots=True)
class Header:
    """metadata: what is one number or string; lists, such as the vocabulary, are left out."""

    metadata: Mapping[str, Scalar]
    parameters: int
    tensor_types: frozenset[int]  # ggml_type

    @property
    def plain(self) -> bool:
        """Whether every weight is a float of 16 or 32 bits: nothing was quantised yet."""
        return self.tensor_types <= _PLAIN_TYPES.keys()

    @property
    def shards(self) -> int:
        return int(self.metadata.get("split.count", 1))


def is_gguf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == MAGIC


def read(path: Path) -> Header:
    """Raises BadRequest for a file that is cut off, damaged or of a version that is not known."""
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            return _header(file, size)
        except (struct.error, ValueError, OverflowError) as error:
            raise BadRequest(f"{path.name} is damaged, or cut off: {error}; fetch it again.") from error


def _header(file: BinaryIO, size: int) -> Header:
    magic, version, tensors, pairs = struct.unpack("<4sIQQ", file.read(24))
    if magic != MAGIC or version not in (2, 3):
        raise ValueError(f"it is no GGUF of version 2 or 3 ({version})")
    metadata: dict[str, Scalar] = {}
    for _ in range(pairs):
        key = _text(file, size)
        value = _value(file, _number(file, "<I"), size)
        if value is not None:
            metadata[key] = value
    parameters, types = 0, set()
    for _ in range(tensors):
        _text(file, size)
        dimensions = [_number(file, "<Q") for _ in range(_number(file, "<I"))]
        types.add(_number(file, "<I"))
        file.seek(8, 1)
        parameters += prod(dimensions)
    return Header(metadata, parameters, frozenset(types))


def _value(file: BinaryIO, kind: int, size: int) -> Scalar | None:
    if kind == _STRING:
        return _text(file, size)
    if kind != _ARRAY:
        return _number(file, _FIXED[kind]) if kind in _FIXED else _unknown(kind)
    of, count = struct.unpack("<IQ", file.read(12))
    if of in _FIXED:
        file.seek(_within(count * struct.calcsize(_FIXED[of]), size), 1)
    else:
        for _ in range(count):
            _value(file, of, size)
    return None


def _number(file: BinaryIO, form: str) -> int:
    number: int
    [number] = struct.unpack(form, file.read(struct.calcsize(form)))
    return number


def _text(file: BinaryIO, size: int) -> str:
    return file.read(_within(_number(file, "<Q"), size)).decode("utf-8", "replace")


def _within(length: int, size: int) -> int:
    """A damaged length must not ask for more memory than there are bytes."""
    if length > size:
        raise ValueError(f"a length of {length} bytes in a file of {size}")
    return length


def _unknown(kind: int) -> Scalar:
    raise ValueError(f"a value of the unknown type {kind}")
