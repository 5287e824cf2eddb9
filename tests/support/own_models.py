"""Models of a user: copies of the shipped one, with another encoder or another scorer."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path

from dedup.model import MANIFEST, shipped_directory


def make_model(directory: Path, *, encoder: str = "", starting_point: float = 0.0) -> Path:
    """Copy the shipped model to ``directory``.

    ``encoder`` is noted in its encoder, which is then another one with the same vectors; ``starting_point`` is added to
    what the scorer begins with.
    """
    shutil.copytree(shipped_directory(), directory)
    if encoder:
        with (directory / "encoder.onnx").open("ab") as file:
            file.write(metadata("made", encoder))
    if starting_point:
        scorer = json.loads((directory / "scorer.json").read_text())
        scorer["intercept"] += starting_point
        (directory / "scorer.json").write_text(json.dumps(scorer))
    return with_hashes(directory)


def with_hashes(directory: Path) -> Path:
    """Let the manifest of a model have the hashes of its files."""
    path = directory / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["files"] = {name: sha256((directory / name).read_bytes()).hexdigest() for name in manifest["files"]}
    path.write_text(json.dumps(manifest))
    return directory


def metadata(key: str, value: str) -> bytes:
    """Return a field ``metadata_props`` of an ONNX model, in the wire format of Protocol Buffers."""
    entry = _text(1, key.encode()) + _text(2, value.encode())
    return _text(14, entry)


def external_weights(place: str) -> bytes:
    """Return a field ``graph`` of an ONNX model with a tensor whose values are in another file."""
    where = _text(1, b"location") + _text(2, place.encode())
    tensor = _text(8, b"weights") + _text(13, where) + bytes([14 << 3, 1])
    return _text(7, _text(5, tensor))


def _text(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _length(len(content)) + content


def _length(value: int) -> bytes:
    return bytes([value & 0x7F | 0x80]) + _length(value >> 7) if value > 0x7F else bytes([value])
