"""A model on disk: an ONNX encoder, a scorer and two tables of words, listed in a manifest.

    manifest.json   format, normaliser and file versions, SHA-256 of each file, sources, measures
    encoder.onnx    the siamese encoder
    scorer.json     the additive model
    rarity.json     the number of names that contain each word
    words.json      the learnt weights of words
    person.json     for names of persons: their scorer, thresholds, and the number of names that contain each word
    text.json       the same for texts that are no names

The last two may be missing. A file whose hash differs from the manifest's, or a manifest in another format, is refused.
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
from dedup.encoder.tokens import ALPHABET
from dedup.errors import UsageError, VersionMismatch
from dedup.evidence.explain import Explanation, explain, explain_pairs
from dedup.evidence.kinds import COMPANY, KINDS, Kind, kind_of
from dedup.evidence.scorer import Scorer
from dedup.text.corpus import Corpus
from dedup.text.normalise import NORMALISER_VERSION
from dedup.text.word_weights import InverseDocumentFrequency, WordModel, WordWeights

FORMAT_VERSION = 3
FILES = ("encoder.onnx", "scorer.json", "rarity.json", "words.json")
FILE_OF_KIND = {name: f"{name}.json" for name in KINDS if name != COMPANY.name}

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
        """Leave out the encoder, which cannot be pickled; the copy loads it again."""
        return {name: value for name, value in self.__dict__.items() if name != "encoder"}

    @property
    def model_id(self) -> str:
        """SHA-256 of the encoder file, 64 hex digits; only vectors with the same one are comparable."""
        return str(self.manifest["files"]["encoder.onnx"])

    @property
    def fingerprint(self) -> str:
        """SHA-256 in hex of all files of its kind; probabilities with the same one are comparable."""
        names = FILES if self.kind == COMPANY.name else (FILES[0], FILE_OF_KIND[self.kind])
        files = {name: self.manifest["files"][name] for name in names}
        return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()

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
        if kind_of(name).name == self.kind:
            return self
        found = load_model(self.directory) if name == COMPANY.name else _load_kind(self, name)
        if "encoder" in self.__dict__:
            found.__dict__["encoder"] = self.encoder
        return found

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


def load_model(directory: str | os.PathLike[str] | None = None) -> Model:
    """Load the model in ``directory``, or the one that ships with neardup.

    >>> load_model().dimension
    128

    Raises:
        UsageError: there is no such directory.
        VersionMismatch: a file is missing, damaged or of an unsupported version.
    """
    if directory is not None and not Path(directory).is_dir():
        raise UsageError(f"There is no model in {os.fspath(directory)}: it is not a directory; check the path.")
    directory = Path(str(resources.files("dedup"))) / "data" / "model" if directory is None else Path(directory)
    try:
        manifest = _parse((directory / "manifest.json").read_bytes())
        contents = {name: (directory / name).read_bytes() for name in FILES}
    except (OSError, ValueError, RecursionError) as error:
        raise VersionMismatch(f"{directory} contains no readable model ({error}); reinstall neardup.") from error
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
        content = (directory / file).read_bytes()
    except OSError as error:
        raise VersionMismatch(f"{directory / file} cannot be read ({error}); reinstall neardup.") from error
    if hashlib.sha256(content).hexdigest() != wanted:
        raise VersionMismatch(f"{directory / file} does not match the hash in the manifest; reinstall neardup.")
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
        "alphabet": ALPHABET,
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
            raise VersionMismatch(f"{directory / name} does not match the hash in the manifest; reinstall neardup.")
    _check_ranges(manifest, _RANGES)
    if type(manifest["dimension"]) is not int:
        raise ValueError(f"dimension is {manifest['dimension']!r}")


def _check_ranges(data: Mapping[str, Any], keys: Iterable[str]) -> None:
    for key in keys:
        least, most = _RANGES[key]
        if not least <= data[key] <= most:
            raise ValueError(f"{key} is {data[key]!r}")
