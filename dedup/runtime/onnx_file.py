"""What an ONNX file says of other files: the weights that it keeps elsewhere, by a path.

ONNX Runtime would open that path, whatever it is, so a model must hold all of its weights itself. The file is a message
in the wire format of Protocol Buffers (https://protobuf.dev/programming-guides/encoding); only the fields that lead to
tensors are followed. Numbers of fields are those of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_DEEPEST = 100

_TENSOR = "tensor"
_FIELDS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: _TENSOR, 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: _TENSOR, 6: "graph", 10: _TENSOR, 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: _TENSOR, 2: _TENSOR},
}
"""The fields of each message that hold others in which tensors are."""


def check_self_contained(content: bytes) -> None:
    """Raise ``ValueError`` unless this is an ONNX model that names no other file."""
    if content[4:8] == b"ORTM":  # the format of ONNX Runtime itself
        raise ValueError("it is not an ONNX model")
    _check(memoryview(content), "model", 0)


def _check(message: memoryview, kind: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError("its graphs are nested too deeply")
    for number, value in _fields(message):
        if kind == _TENSOR:
            if number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0):
                raise ValueError("it keeps weights in another file, which is not allowed")
        elif number in _FIELDS[kind]:
            if isinstance(value, int):
                raise ValueError("it is not an ONNX model")
            _check(value, _FIELDS[kind][number], depth + 1)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield the number of each field with its content; of fixed width, 0."""
    at = 0
    while at < len(message):
        key, at = _number(message, at)
        width = {_FIXED64: 8, _FIXED32: 4}.get(key & 7, 0)
        value: memoryview | int = 0
        if key & 7 == _VARINT:
            value, at = _number(message, at)
        elif key & 7 == _BYTES:
            width, at = _number(message, at)
            value = message[at : at + width]
        elif not width:
            raise ValueError("it is not an ONNX model")
        at += width
        if at > len(message):
            raise ValueError("it is not an ONNX model, or cut off")
        yield key >> 3, value


def _number(message: memoryview, at: int) -> tuple[int, int]:
    """Return a number of variable length and where it ends."""
    value = shift = 0
    while at < len(message) and shift < 70:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("it is not an ONNX model, or cut off")
