"""A model on disk: an ONNX encoder, a scorer and two tables of words, listed in a manifest.

    manifest.json   format, normaliser and file versions, SHA-256 of each file, sources, measures
    encoder.onnx    the siamese encoder
    scorer.json     the additive model
    rarity.json     the number of names that contain each word
    words.json      the learnt weights of words
    person.json     for names of persons: their scorer, thresholds, and the number of names that contain each word
    text.json       the same for texts that are no names
    head.onnx       of a network trained on labelled pairs: compares two vectors as in its training

The last three may be missing. The encoder of another architecture than the shipped one reads other tokens, which its
file lists; the manifest then describes them under ``tokeniser`` and has no ``alphabet``.

A file whose hash differs from the manifest's, a link that leads out of the directory, or a manifest in another format
is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.onnx import CODE_SCALE, Encoder, OnnxEncoder
from dedup.encoder.pair_head import HEAD, OnnxHead
from dedup.encoder.tokens import ALPHABET
from dedup.errors import UsageError, VersionMismatch
from dedup.evidence.explain import Explanation, explain, explain_pairs
from dedup.evidence.kinds import COMPANY, KINDS, Kind, kind_of
from dedup.evidence.scorer import Scorer
from dedup.text.corpus import Corpus
from dedup.text.normalise import NORMALISER_VERSION
from dedup.text.word_weights import InverseDocumentFrequency, WordModel, WordWeights

FORMAT_VERSION = 3
SHIPPED = "shipped"
"""The name of the model that ships with neardup."""
MANIFEST = "manifest.json"
FILES = ("encoder.onnx", "scorer.json", "rarity.json", "words.json")
FILE_OF_KIND = {name: f"{name}.json" for name in KINDS if name != COMPANY.name}
OPTIONAL_FILES = (HEAD, *FILE_OF_KIND.values())

_RANGES = {
    "dimension": (1, 65_536),
    "default_probability": (0.0, 1.0),
    "least_similarity": (-1.0, 1.0),
    "candidate_share": (1e-9, 1.0),
}
_OF_KIND = ("default_probability", "candidate_share")
"""The settings that each kind of texts has for itself."""


@dataclass(frozen=True)
class Model:
    """Everything that turns two texts into a probability. Build it with ``load_model``.

    Attributes:
        directory: Where its files are.
        manifest: What it says of itself.
        additive: The additive model of its kind.
        word_model: What it knows about words.
        kind: The kind of texts that it compares: company, person or text.
        settings: The thresholds of its kind.

    """

    directory: Path
    manifest: dict[str, Any]
    additive: Scorer
    word_model: WordModel
    kind: str
    settings: Mapping[str, float]

    def __repr__(self) -> str:
        kind = "" if self.kind == COMPANY.name else f", kind={self.kind!r}"
        return f"Model({str(self.directory)!r}, model_id={self.model_id[:12]!r}, dimension={self.dimension}{kind})"

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the encoder and the head, which cannot be pickled, and other kinds; the copy loads them again."""
        return {name: value for name, value in self.__dict__.items() if name not in ("encoder", "head", "_of_kinds")}

    @property
    def name(self) -> str:
        """The name of the directory, which may end in ``@`` and a hash; ``shipped`` for the shipped model."""
        return SHIPPED if self.is_shipped else self.directory.resolve().name.partition("@")[0] or "model"

    @property
    def is_shipped(self) -> bool:
        """Whether this is the model that ships with neardup."""
        return self.directory == shipped_directory()

    @property
    def model_id(self) -> str:
        """SHA-256 of the encoder file, 64 hex digits; only vectors with the same one are comparable."""
        return str(self.manifest["files"]["encoder.onnx"])

    @property
    def fingerprint(self) -> str:
        """SHA-256 in hex of all files; probabilities with the same one, and of one kind, are comparable."""
        return hashlib.sha256(json.dumps(self.manifest["files"], sort_keys=True).encode()).hexdigest()

    @property
    def dimension(self) -> int:
        """Length d of a vector."""
        return int(self.manifest["dimension"])

    @property
    def default_probability(self) -> float:
        """Probability from which a pair is reported as a duplicate unless the user sets another."""
        return self.settings["default_probability"]

    @property
    def min_similarity(self) -> float:
        """Cosine below which batch jobs do not compare a pair, because almost none is the same."""
        return float(self.manifest["least_similarity"])

    @property
    def candidate_share(self) -> float:
        """Share of true pairs among the candidates that the probabilities hold for."""
        return self.settings["candidate_share"]

    @property
    def scorer(self) -> Scorer | None:
        """The additive model, if upper bounds can be derived from it: there are none but for company names."""
        return self.additive if self.kind == COMPANY.name else None

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder, loaded on first use; raises ``VersionMismatch`` if it is not one."""
        return OnnxEncoder(self.directory / "encoder.onnx", self.dimension)

    @property
    def files(self) -> tuple[str, ...]:
        """The files of the model, besides its manifest."""
        return (*FILES, *(name for name in OPTIONAL_FILES if name in self.manifest["files"]))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of texts that it has a scorer for."""
        return tuple(name for name in KINDS if FILE_OF_KIND.get(name, FILES[1]) in self.manifest["files"])

    @cached_property
    def head(self) -> OnnxHead | None:
        """The head of a network trained on pairs, loaded on first use; raises ``VersionMismatch`` if it is not one."""
        if HEAD not in self.manifest["files"]:
            return None
        assert isinstance(self.encoder, OnnxEncoder)
        return OnnxHead(self.directory / HEAD, self.encoder)

    def compare(
        self, left: Sequence[str], right: Sequence[str], similarities: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Return the probability, (n,), that each pair of normal forms is the same.

        ``similarities`` (n,) float32 are their siamese cosines (``encoder.cosine``).
        """
        rows = self._kind.evidence(left, right, similarities, self.word_model)
        return self.additive.probabilities(rows)

    @property
    def _kind(self) -> Kind:
        return KINDS[self.kind]

    def with_kind(self, name: str) -> Model:
        """Return the model for another kind of texts, without a corpus and its prior; the encoder is the same.

        Raises:
            UsageError: there is no such kind.
            VersionMismatch: the model has no scorer for it, or a damaged one.
        """
        if kind_of(name).name not in self._of_kinds:
            found = load_model(self.directory) if name == COMPANY.name else _load_kind(self, name)
            found.__dict__.update({part: self.__dict__[part] for part in ("encoder", "head") if part in self.__dict__})
            self._of_kinds[name] = found
        return self._of_kinds[name]

    @cached_property
    def _of_kinds(self) -> dict[str, Model]:
        """The model for each kind of texts that it was asked for."""
        return {self.kind: self}

    def with_corpus(self, corpus: Corpus) -> Model:
        """Return this model with what a corpus says about its own names."""
        return replace(self, word_model=replace(self.word_model, idf=self.word_model.idf.with_corpus(corpus)))

    def with_prior_shift(self, shift: float) -> Model:
        """Return this model with ``shift`` nats added to all log-odds (``dedup.matching.prior``)."""
        return replace(self, additive=replace(self.additive, intercept=self.additive.intercept + shift))

    def explain(self, left: str, right: str, similarity: float) -> Explanation:
        """Return the probability of one pair of normal forms, and the reasons for it."""
        return explain(left, right, similarity, self.additive, self.word_model, self._kind)

    def explain_pairs(
        self, left: Sequence[str], right: Sequence[str], similarities: Sequence[float]
    ) -> list[Explanation]:
        """Return the same for n pairs, at a fraction of the time for each."""
        return explain_pairs(left, right, similarities, self.additive, self.word_model, self._kind)


def shipped_directory() -> Path:
    """Return the directory of the model that ships with neardup."""
    return Path(str(resources.files("dedup"))) / "data" / "model"


def load_model(directory: str | os.PathLike[str] | None = None) -> Model:
    """Load the model in ``directory``, or the one that ships with neardup.

    >>> load_model().dimension
    128

    Raises:
        UsageError: there is no such directory.
        VersionMismatch: a file is missing, damaged, of an unsupported version or outside of the directory.
    """
    if directory is not None and not Path(directory).is_dir():
        raise UsageError(f"There is no model in {os.fspath(directory)}: it is not a directory; check the path.")
    directory = shipped_directory() if directory is None else Path(directory)
    try:
        manifest = _parse(_content(directory, MANIFEST))
        names = [*FILES, HEAD] if HEAD in manifest.get("files", ()) else FILES
        contents = {name: _content(directory, name) for name in names}
    except (AttributeError, OSError, TypeError, ValueError, RecursionError) as error:
        raise VersionMismatch(f"{directory} contains no readable model ({error}); {_remedy(directory)}.") from error
    with _another_form(directory):
        _check(manifest, contents, directory)
        idf = InverseDocumentFrequency.from_json(_parse(contents["rarity.json"]))
        scorer = Scorer.from_json(_parse(contents["scorer.json"]))
        weights = WordWeights.from_json(_parse(contents["words.json"]))
        settings = {name: float(manifest[name]) for name in _OF_KIND}
    return Model(directory, manifest, scorer, WordModel(idf, weights), COMPANY.name, settings)


def _load_kind(model: Model, name: str) -> Model:
    """Return a model for a kind of texts other than company names."""
    directory, file = model.directory, FILE_OF_KIND[name]
    wanted = model.manifest["files"].get(file)
    if wanted is None:
        raise VersionMismatch(
            f"The model in {directory} compares company names only: it has no {file} for --kind {name}; use the model "
            "that ships with neardup, or train one with `dedup train`."
        )
    try:
        content = _content(directory, file)
    except (OSError, ValueError) as error:
        raise VersionMismatch(f"{directory / file} cannot be read ({error}); {_remedy(directory)}.") from error
    if hashlib.sha256(content).hexdigest() != wanted:
        raise _damaged(directory / file)
    with _another_form(directory):
        data = _parse(content)
        scorer = Scorer.from_json(data, KINDS[name].registry.names)
        word_model = WordModel(InverseDocumentFrequency.from_json(data), WordWeights({}))
        settings = {key: float(data[key]) for key in _OF_KIND}
        _check_ranges(data, _OF_KIND)
    return Model(directory, model.manifest, scorer, word_model, name, settings)


@contextmanager
def _another_form(directory: Path) -> Iterator[None]:
    """Raise ``VersionMismatch`` for the errors of Python that a file of another form causes."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise VersionMismatch(
            f"The model in {directory} has a file of another form ({type(error).__name__}: {error}); use the model "
            "that ships with neardup, or train one with `dedup train`."
        ) from error


def _damaged(file: Path) -> VersionMismatch:
    return VersionMismatch(f"{file} does not match the hash in the manifest; {_remedy(file.parent)}.")


def _remedy(directory: Path) -> str:
    return "reinstall neardup" if directory == shipped_directory() else "copy or train it again"


def _content(directory: Path, name: str) -> bytes:
    """Return the content of a file of a model; raises ``OSError`` or ``ValueError`` if it is none, or elsewhere."""
    path = directory / name
    real = path.resolve(strict=True)
    if not real.is_relative_to(directory.resolve()):
        raise ValueError(f"{name} is a link that leads out of the directory")
    if not real.is_file():  # a pipe would wait for a writer
        raise ValueError(f"{name} is not a regular file")
    return path.read_bytes()


def _parse(content: bytes) -> Any:  # noqa: ANN401 - JSON; what is expected of it is checked where it is used
    return json.loads(content.decode(), parse_constant=_no_constant)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _check(manifest: dict[str, Any], contents: dict[str, bytes], directory: Path) -> None:
    """Check what the manifest says of this version, of the files and of the numbers that the jobs use.

    Raises ``VersionMismatch``; a manifest of another form raises the errors of Python.
    """
    expected = {
        "format_version": FORMAT_VERSION,
        "normaliser_version": NORMALISER_VERSION,
        "alphabet": None if "tokeniser" in manifest else ALPHABET,
        "code_scale": CODE_SCALE,
    }
    for key, value in expected.items():
        if manifest.get(key) != value:
            raise VersionMismatch(
                f"The model in {directory} has {key} {manifest.get(key)!r}, but this version of neardup needs "
                f"{value!r}; use the model that ships with it or train one with `dedup train`."
            )
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != manifest["files"].get(name):
            raise _damaged(directory / name)
    _check_ranges(manifest, _RANGES)
    if type(manifest["dimension"]) is not int:
        raise ValueError(f"dimension is {manifest['dimension']!r}")


def _check_ranges(data: Mapping[str, Any], keys: Iterable[str]) -> None:
    for key in keys:
        least, most = _RANGES[key]
        if not least <= data[key] <= most:
            raise ValueError(f"{key} is {data[key]!r}")
