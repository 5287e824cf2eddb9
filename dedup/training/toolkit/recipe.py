"""A recipe: which parts a network has, and how it is trained. Presets and configurations are TOML files.

A configuration may name a preset to begin with (``preset = "word-cnn"``) and has one table for each part. Unknown keys
are refused with the nearest known one, and keys that change nothing with the parts chosen are refused, too.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from dedup.errors import InputRefused, UsageError
from dedup.training.architectures.attention import Attention
from dedup.training.architectures.bert import Bert
from dedup.training.architectures.convolution import Convolution
from dedup.training.architectures.embeddings import Embedding, Tokens
from dedup.training.architectures.heads import Head
from dedup.training.architectures.objectives import Objective
from dedup.training.architectures.part_settings import checked, choice, flag, real, whole
from dedup.training.architectures.pooling import Pooling
from dedup.training.architectures.recurrent import Recurrent

LETTERS = "letters-and-grams"


@dataclass(frozen=True, slots=True)
class Letters:
    """The tower of the shipped model has no settings: its vectors must fit its own file format."""


@dataclass(frozen=True, slots=True)
class Negatives:
    """Settings of the negatives that are added to pairs labelled 0 and 1.

    Attributes:
        random: For each positive pair of a batch, so many pairs of its left text and the right text of another entity
            in that batch.
        hard: For each positive pair, so many texts of other entities that the model itself finds most similar.
        refresh_every: Epochs after which hard negatives are looked for again.

    """

    random: int = whole(0, 0, 50)
    hard: int = whole(0, 0, 50)
    refresh_every: int = whole(1, 1, 1_000)


@dataclass(frozen=True, slots=True)
class Training:
    """Settings of the training loop.

    Attributes:
        batch_size: Labelled pairs of a step; random negatives come on top.
        epochs: Passes over the pairs.
        learning_rate: Of AdamW (Loshchilov & Hutter 2019); the highest one of a schedule.
        schedule: ``constant``, or ``linear`` or ``cosine`` decay to 0.
        warmup: Share of the steps in which the rate first rises from 0.
        weight_decay: Of AdamW (l2 in some recipes).
        gradient_clip: Largest norm of the gradient; 0 for no limit.
        evaluate_every: Steps after which the validation pairs are measured; 0 for once an epoch.
        checkpoint_every: Steps after which the state is saved; 0 for at each evaluation.
        keep_checkpoints: The latest checkpoints that stay when training has ended.
        patience: Evaluations without a better measure after which training stops; 0 for never.
        measure: What the best model is chosen by; ``auto`` is f1 for pairs labelled 0 and 1, accuracy for classes, and
            spearman for grades.
        validation_share: Share of the pairs held back to validate on.
        balance: ``weights`` or ``sampling`` give every class the same total weight.
        seed: Of everything that is random.
        device: ``cpu``, ``cuda`` or ``mps``.
        mixed_precision: Compute in bfloat16 where torch thinks it safe.
        tensorboard: Write events for TensorBoard as well.

    """

    batch_size: int = whole(64, 1, 65_536)
    epochs: int = whole(10, 1, 100_000)
    learning_rate: float = real(1e-3, 1e-9, 10.0)
    schedule: str = choice("constant", "linear", "cosine")
    warmup: float = real(0.0, 0.0, 1.0)
    weight_decay: float = real(0.0, 0.0, 10.0)
    gradient_clip: float = real(1.0, 0.0, 1e6)
    evaluate_every: int = whole(0, 0, 1_000_000_000)
    checkpoint_every: int = whole(0, 0, 1_000_000_000)
    keep_checkpoints: int = whole(0, 0, 1_000)
    patience: int = whole(0, 0, 1_000_000)
    measure: str = choice("auto", "loss", "accuracy", "f1", "auc", "average-precision", "spearman", "pearson")
    validation_share: float = real(0.15, 0.01, 0.9)
    balance: str = choice("none", "weights", "sampling")
    seed: int = whole(1, 0, 2**63 - 1)
    device: str = choice("cpu", "cuda", "mps")
    mixed_precision: bool = flag(False)
    tensorboard: bool = flag(False)


TOWERS: dict[str, type] = {
    "recurrent": Recurrent, "convolution": Convolution, "attention": Attention, "bert": Bert, LETTERS: Letters,
}  # fmt: skip
PARTS: dict[str, type] = {
    "tokens": Tokens, "embedding": Embedding, "pooling": Pooling, "head": Head, "objective": Objective,
    "negatives": Negatives, "training": Training,
}  # fmt: skip
_WORDS = ("preset", "source")


@dataclass(frozen=True, slots=True)
class Recipe:
    """The parts of a network and the settings of its training; ``source`` says where the recipe comes from."""

    source: str
    tower_kind: str
    tower: Any
    tokens: Tokens
    embedding: Embedding
    pooling: Pooling
    head: Head
    objective: Objective
    negatives: Negatives
    training: Training

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as plain JSON data, which ``read_recipe`` would read from TOML."""
        parts = {name: asdict(getattr(self, name)) for name in PARTS}
        recipe = {"source": self.source, "tower": {"kind": self.tower_kind, **asdict(self.tower)}, **parts}
        return dict(json.loads(json.dumps(recipe)))


def presets() -> list[str]:
    """Return the names of the presets."""
    folder = resources.files("dedup.training.toolkit") / "presets"
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


def read_recipe(preset: str | None, config: Path | None = None, changes: Sequence[str] = ()) -> Recipe:
    """Return the recipe of a preset and a configuration file, with ``changes`` such as ``training.epochs=3``.

    Raises:
        UsageError: there is no such preset or key, or a value is not allowed.
        InputRefused: the file is not valid TOML.
    """
    given = _given(config, changes)
    named = given.pop("preset", None)
    if preset is not None and named not in (None, preset):
        raise UsageError(f"--preset is {preset!r}, but {config} names the preset {named!r}; give one of them.")
    return _changed(_preset(preset or named) if preset or named else {}, given)


def _given(config: Path | None, changes: Sequence[str]) -> dict[str, Any]:
    """Return what a configuration file and ``changes`` set."""
    given = {} if config is None else _parsed(config, str(config))
    for change in changes:
        name, equals, value = change.partition("=")
        section, _, key = name.strip().partition(".")
        if not equals or not key:
            raise UsageError(f"--set {change!r} is not SECTION.KEY=VALUE, such as training.epochs=3.")
        given.setdefault(section, {})
        if isinstance(given[section], dict):
            given[section][key] = _value(value.strip())
    return given


def _changed(base: Mapping[str, Any], given: Mapping[str, Any]) -> Recipe:
    recipe = _recipe(_merged(base, given))
    useless = set(_useless(recipe))
    for name in _keys(given):
        if name in useless:
            raise UsageError(f"{name} has no effect with the other parts of this configuration; remove it.")
    return recipe


def recipe_of(manifest: Mapping[str, Any], changes: Sequence[str] = ()) -> Recipe:
    """Return the recipe to fine-tune a model by: its own, or ``char-lstm-tuned`` for the shipped one.

    Raises:
        UsageError: a key or value of ``changes`` is not allowed.
    """
    described = manifest.get("architecture")
    if not isinstance(described, dict) or "tokens" not in described:
        return read_recipe("char-lstm-tuned", None, changes)
    return _changed(described, _given(None, changes))


def _preset(name: object) -> dict[str, Any]:
    if name not in presets():
        near = get_close_matches(str(name), presets(), 1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(presets())}."
        raise UsageError(f"There is no preset {name!r}{hint}")
    file = resources.files("dedup.training.toolkit") / "presets" / f"{name}.toml"
    return _parsed(file, str(name))


def _parsed(file: Path | Traversable, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputRefused(f"{name} is not valid TOML: {error}.", "E_CONFIG") from error


def _value(text: str) -> Any:  # noqa: ANN401 - what TOML holds
    """Return a value as in TOML; what is none is a text without its quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _merged(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with what was ``given``; another kind of a part begins anew with its defaults."""
    result = dict(base)
    for name, value in given.items():
        below = result.get(name)
        if isinstance(value, dict) and isinstance(below, dict):
            is_another = name == "tower" and value.get("kind", below.get("kind")) != below.get("kind")
            value = value if is_another else {**below, **value}
        result[name] = value
    return result


def _recipe(values: Mapping[str, Any]) -> Recipe:
    sections = [*_WORDS, "tower", *PARTS]
    for name, value in values.items():
        if name not in sections:
            raise _unknown(name, sections)
        if name not in _WORDS and not isinstance(value, dict):
            raise UsageError(f"{name} is {value!r}; make it a table: [{name}].")
    tower = dict(values.get("tower", {}))
    kind = tower.pop("kind", "recurrent")
    if kind not in TOWERS:
        raise UsageError(f"tower.kind is {kind!r}; give one of {', '.join(TOWERS)}.")
    parts = {name: _part(kind_of, values.get(name, {}), name) for name, kind_of in PARTS.items()}
    source = values.get("source", "")
    if not isinstance(source, str):
        raise UsageError(f"source is {source!r}; give a text in quotes.")
    recipe = Recipe(source, kind, _part(TOWERS[kind], tower, "tower"), **parts)
    _check(recipe)
    return recipe


def _part(kind: type, values: Mapping[str, Any], section: str) -> Any:  # noqa: ANN401
    known = [one.name for one in fields(kind)]
    for key in values:
        if key not in known:
            others = [f"{name}.{one.name}" for name, part in PARTS.items() for one in fields(part)]
            raise _unknown(f"{section}.{key}", [*(f"{section}.{name}" for name in known), *others], len(known))
    return checked(kind, dict(values), section)


def _unknown(name: str, known: Sequence[str], own: int = 0) -> UsageError:
    near = get_close_matches(name, known, 1, 0.5)
    listed = ", ".join(known[: own or None])
    hint = f"did you mean {near[0]}?" if near else f"known here: {listed or 'none'}."
    return UsageError(f"The configuration has an unknown key {name}; {hint}")


def _check(recipe: Recipe) -> None:
    """Refuse parts that do not go together."""
    unit = {"bert": "wordpiece", LETTERS: LETTERS}.get(recipe.tower_kind)
    if (recipe.tokens.unit != unit) if unit else recipe.tokens.unit in ("wordpiece", LETTERS):
        raise UsageError(
            f'tower.kind = "{recipe.tower_kind}" does not read tokens.unit = "{recipe.tokens.unit}"; use '
            f"{unit or 'character or word'}."
        )
    recipe.objective.check(recipe.head.kind, "")


def _useless(recipe: Recipe) -> Iterator[str]:
    """Yield the keys that have no effect with the parts of a recipe."""
    yield from (f"objective.{name}" for name in recipe.objective.unused())
    embeds = recipe.tower_kind not in ("bert", LETTERS)
    if not embeds:
        yield from (f"embedding.{one.name}" for one in fields(Embedding))
        yield from ("tokens.min_count", "tokens.max_vocabulary")
    elif recipe.embedding.vectors:
        yield from ("embedding.size", "embedding.spread")
    else:
        yield from ("embedding.words", "embedding.unknown", "embedding.frozen")
    if recipe.tower_kind == LETTERS:
        yield from ("tokens.max_length", "pooling.kind", "pooling.projection")
    if recipe.objective.kind == "in-batch":
        yield from ("training.balance", "negatives.random")
    if not recipe.negatives.hard:
        yield "negatives.refresh_every"


def _keys(given: Mapping[str, Any]) -> Iterator[str]:
    for section, values in given.items():
        if isinstance(values, dict):
            yield from (f"{section}.{key}" for key in values)
