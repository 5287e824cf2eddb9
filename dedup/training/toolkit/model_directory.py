"""Write a model directory: the encoder, its head, a scorer and the words of the model that it is based on.

``dedup.model`` reads it. Everything is ONNX or JSON. The files are made in a folder of their own and moved to their
places at the end, the manifest last, so that a killed training leaves no model that looks finished.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.onnx import CODE_SCALE, OnnxEncoder
from dedup.encoder.pair_head import HEAD
from dedup.encoder.token_reader import TokenReader
from dedup.encoder.tokens import ALPHABET
from dedup.errors import EnvironmentFault, UsageError, WriterBusy
from dedup.evaluation.classified import best_threshold
from dedup.evaluation.pair_set import PairSet
from dedup.evidence.scorer import Scorer
from dedup.model import FILES, FORMAT_VERSION, OPTIONAL_FILES, Model, load_model
from dedup.text.normalise import NORMALISER_VERSION

if TYPE_CHECKING:
    from dedup.training.architectures.siamese import Siamese
    from dedup.training.toolkit.recipe import Recipe

MANIFEST = "manifest.json"
TRAINING = "training"
"""Folder of the metrics, curves and checkpoints within a model directory."""

_OWN = {MANIFEST, TRAINING, *FILES, *OPTIONAL_FILES, "checkpoint.pt"}
_MISSED = 0.01
"""Share of the positive pairs that batch jobs may leave out by their similarity."""


@dataclass(frozen=True, slots=True)
class Described:
    """What the manifest says of a training, besides the files."""

    recipe: Recipe
    command: str
    sources: Mapping[str, str]
    measures: Mapping[str, Any]


def check_output(directory: Path) -> None:
    """Refuse a directory that holds other files than a model.

    Raises:
        UsageError: it does, or it is a file.
    """
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"--output {directory} is a file; give a new or empty directory.")
    is_model = any((directory / name).exists() for name in (MANIFEST, "checkpoint.pt", TRAINING))
    names = {path.name for path in directory.iterdir()} if directory.is_dir() else set()
    if names and (not is_model or names - _OWN):
        raise UsageError(f"--output {directory} holds other files than a model; give a new or empty directory.")


@contextmanager
def reserved(directory: Path) -> Iterator[None]:
    """Hold a directory for the training that writes to it, made if need be, and removed again if nothing was written.

    The lock is on the directory itself, so it ends with the process and leaves no file.

    Raises:
        UsageError: the directory holds other files than a model.
        WriterBusy: another process trains there.
        EnvironmentFault: it cannot be made or locked.

    """
    check_output(directory)
    try:
        handle = os.open(_made(directory), os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise EnvironmentFault(f"--output {directory} cannot be made: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WriterBusy(
                f"Another process trains in {directory}; try again when it is done, or give another --output."
            ) from None
        except OSError as error:
            raise EnvironmentFault(f"{directory} cannot be locked: {error.strerror}; use a local disk.") from error
        try:
            yield
        finally:
            with suppress(OSError):  # something was written
                directory.rmdir()
    finally:
        os.close(handle)


def write_scorer(output: Path, base: Model, scorer: Scorer, described: Mapping[str, Any]) -> Model:
    """Write ``base`` with another scorer; ``described`` is added to its manifest."""
    contents = {name: (base.directory / name).read_bytes() for name in base.files}
    contents["scorer.json"] = _json(scorer.to_json())
    return _write(output, contents, {**base.manifest, **described})


def write_network(
    output: Path,
    siamese: Siamese,
    base: Model,
    validation: PairSet,
    found: NDArray[np.float64],
    described: Described,
    scorer: Scorer | None = None,
) -> Model:
    """Write a trained network with the scorer and words of ``base``, unless another ``scorer`` is given.

    ``found`` are its predictions on the ``validation`` pairs, which set the threshold of the head.
    """
    with TemporaryDirectory(dir=_made(output), prefix="network-") as folder:
        siamese.write(Path(folder))
        contents = {name: (Path(folder) / name).read_bytes() for name in ("encoder.onnx", HEAD)}
        encoder = OnnxEncoder(Path(folder) / "encoder.onnx")
        cosines = _positive_cosines(encoder, validation)
    contents |= {name: (base.directory / name).read_bytes() for name in ("rarity.json", "words.json")}
    contents["scorer.json"] = _json((scorer or base.additive).to_json())
    reader = siamese.encoder.reader
    tokens = (
        {"tokeniser": {"unit": reader.unit, "max_length": reader.max_length, "tokens": reader.size}}
        if (isinstance(reader, TokenReader))
        else {"alphabet": ALPHABET}
    )
    manifest = {
        "format_version": FORMAT_VERSION,
        "normaliser_version": NORMALISER_VERSION,
        **tokens,
        "dimension": siamese.encoder.size,
        "architecture": described.recipe.to_json(),
        "parameters": siamese.count(),
        "code_scale": CODE_SCALE,
        "default_probability": base.default_probability,
        "least_similarity": round(float(np.quantile(cosines, _MISSED)) if len(cosines) else -1.0, 3),
        "candidate_share": base.candidate_share,
        "head": {
            "labels": validation.labels,
            "classes": list(validation.classes),
            "same": sorted(validation.same),
            "threshold": best_threshold(validation, found),
        },
        "command": described.command,
        "sources": dict(described.sources),
        "measures": dict(described.measures),
    }
    return _write(output, contents, manifest)


def _positive_cosines(encoder: OnnxEncoder, pairs: PairSet) -> NDArray[np.float32]:
    from dedup.encoder.onnx import pair_similarities

    some = pairs.select(np.flatnonzero(pairs.positive))
    return pair_similarities(encoder, some.left, some.right) if len(some) else np.zeros(0, np.float32)


def _write(output: Path, contents: Mapping[str, bytes], manifest: Mapping[str, Any]) -> Model:
    """Write the files, then the manifest with their hashes, and load the model as a check."""
    hashes = {name: sha256(content).hexdigest() for name, content in contents.items()}
    (_made(output) / MANIFEST).unlink(missing_ok=True)
    for name in set(OPTIONAL_FILES) - set(contents):
        (output / name).unlink(missing_ok=True)
    for name, content in {**contents, MANIFEST: _json({**manifest, "files": hashes})}.items():
        temporary = output / f"{name}.tmp"
        temporary.write_bytes(content)
        temporary.replace(output / name)
    model = load_model(output)
    assert model.encoder is not None
    return model


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()
