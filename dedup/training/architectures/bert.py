"""The tower of a pretrained BERT (Devlin et al. 2019), read from a local directory without any further package.

A directory of Hugging Face's layout serves: ``config.json`` with the model type ``bert``, ``distilbert`` (Sanh et al.
2019) or ``electra`` (Clark et al. 2020), ``vocab.txt`` or ``tokenizer.json`` with word pieces, and
``model.safetensors`` or ``pytorch_model.bin``. Sentence-BERT (Reimers & Gurevych 2019) pools its states by their mean.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dedup.encoder.token_reader import TokenReader
from dedup.errors import InputRefused
from dedup.training.architectures.attention import attend, attend_onnx
from dedup.training.architectures.graph import Graph, Mask
from dedup.training.architectures.part_settings import real, text, whole

_SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
          "max_position_embeddings", "type_vocab_size")  # fmt: skip
_TYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2"), "I64": np.dtype("<i8"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Family:
    """How another type of encoder names what a BERT has, as (own, BERT's) pieces of names."""

    sizes: tuple[tuple[str, str], ...] = ()
    activation: str = "hidden_act"
    weights: tuple[tuple[str, str], ...] = ()


_FAMILIES = {
    "bert": _Family(),
    "electra": _Family(),
    "distilbert": _Family(
        sizes=(
            ("dim", "hidden_size"),
            ("n_layers", "num_hidden_layers"),
            ("n_heads", "num_attention_heads"),
            ("hidden_dim", "intermediate_size"),
        ),
        activation="activation",
        weights=(
            ("transformer.layer.", "encoder.layer."),
            (".attention.q_lin.", ".attention.self.query."),
            (".attention.k_lin.", ".attention.self.key."),
            (".attention.v_lin.", ".attention.self.value."),
            (".attention.out_lin.", ".attention.output.dense."),
            (".sa_layer_norm.", ".attention.output.LayerNorm."),
            (".ffn.lin1.", ".intermediate.dense."),
            (".ffn.lin2.", ".output.dense."),
            (".output_layer_norm.", ".output.LayerNorm."),
        ),
    ),
}
_TOKEN_TYPES = "embeddings.token_type_embeddings.weight"


@dataclass(frozen=True, slots=True)
class Bert:
    """Settings of the BERT tower.

    ``directory`` holds the encoder. The embeddings and the first ``frozen_layers`` layers are not trained, unless that
    is -1, which trains the embeddings as well.
    """

    directory: str = text()
    frozen_layers: int = whole(0, -1, 96)
    dropout: float = real(0.1, 0.0, 0.95)

    def build(self, size: int) -> BertTower:
        """Return the pretrained tower; ``size`` is 0, because it has embeddings of its own."""
        config = read_config(Path(self.directory))
        tower = BertTower(self, config)
        tower.load(read_weights(Path(self.directory), config), self.directory)
        return tower


class BertTower(nn.Module):
    """Embeddings and layers with the names of Hugging Face, so that its weights can be loaded."""

    directions = 0

    def __init__(self, settings: Bert, config: dict[str, Any]) -> None:
        super().__init__()
        self.settings = settings
        self.size: int = config["hidden_size"]
        self.heads: int = config["num_attention_heads"]
        self.most: int = config["max_position_embeddings"]
        self._epsilon = float(config.get("layer_norm_eps", 1e-12))
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(config["vocab_size"], self.size),
                "position_embeddings": nn.Embedding(self.most, self.size),
                "token_type_embeddings": nn.Embedding(config["type_vocab_size"], self.size),
                "LayerNorm": nn.LayerNorm(self.size, self._epsilon),
            }
        )
        layers = [self._layer(config["intermediate_size"]) for _ in range(config["num_hidden_layers"])]
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(layers)})
        self.drop = nn.Dropout(settings.dropout)
        frozen = [self.embeddings, *layers[: settings.frozen_layers]] if settings.frozen_layers >= 0 else []
        for parameter in (one for module in frozen for one in module.parameters()):
            parameter.requires_grad = False

    def _layer(self, inner: int) -> nn.ModuleDict:
        size, norm = self.size, self._epsilon
        parts = {name: nn.Linear(size, size) for name in ("query", "key", "value")}
        merge = nn.ModuleDict({"dense": nn.Linear(size, size), "LayerNorm": nn.LayerNorm(size, norm)})
        return nn.ModuleDict(
            {
                "attention": nn.ModuleDict({"self": nn.ModuleDict(parts), "output": merge}),
                "intermediate": nn.ModuleDict({"dense": nn.Linear(size, inner)}),
                "output": nn.ModuleDict({"dense": nn.Linear(inner, size), "LayerNorm": nn.LayerNorm(size, norm)}),
            }
        )

    def load(self, weights: dict[str, Tensor], where: str) -> None:
        """Take over pretrained weights; those of a pooler or another task are left out.

        Raises:
            InputRefused: one is missing or has another shape.
        """
        own = self.state_dict()
        for name, value in own.items():
            if name not in weights or weights[name].shape != value.shape:
                raise InputRefused(
                    f"{where} has no weights {name} of shape {tuple(value.shape)}; give the directory "
                    "of a BERT encoder.",
                    "E_ENCODER",
                )
        self.load_state_dict({name: weights[name] for name in own})

    def forward(self, tokens: Tensor, real: Tensor) -> Tensor:
        """Return the states, (n, length, size), of (n, length) tokens."""
        part: Any = self.embeddings
        positions = part["position_embeddings"].weight[: tokens.shape[1]]
        states: Tensor = part["word_embeddings"](tokens) + positions + part["token_type_embeddings"].weight[0]
        states = self.drop(part["LayerNorm"](states))
        layers: Any = self.encoder["layer"]
        for layer in layers:
            own, merge = layer["attention"]["self"], layer["attention"]["output"]
            query, key, value = (own[name](states) for name in ("query", "key", "value"))
            found = attend(query, key, value, real, self.heads)
            states = merge["LayerNorm"](self.drop(merge["dense"](found)) + states)
            inner = nn.functional.gelu(layer["intermediate"]["dense"](states))
            states = layer["output"]["LayerNorm"](self.drop(layer["output"]["dense"](inner)) + states)
        return states

    def to_onnx(self, graph: Graph, prefix: str, tokens: str, mask: Mask) -> str:
        """Add the tower to a graph; the parameters begin with ``prefix``."""
        base = f"{prefix}.embeddings"
        words = graph.node("Gather", graph.parameter(f"{base}.word_embeddings.weight"), tokens)
        length = graph.node("Slice", graph.node("Shape", tokens), graph.numbers(1), graph.numbers(2))
        table = graph.parameter(f"{base}.position_embeddings.weight")
        positions = graph.node("Slice", table, graph.numbers(0), length, graph.numbers(0))
        kind = graph.node("Gather", graph.parameter(f"{base}.token_type_embeddings.weight"), graph.index(0))
        states = self._norm(graph, f"{base}.LayerNorm", graph.node("Add", graph.node("Add", words, positions), kind))
        for at in range(len(self.encoder["layer"])):  # type: ignore[arg-type]
            states = self._layer_onnx(graph, f"{prefix}.encoder.layer.{at}", states, mask)
        return states

    def _layer_onnx(self, graph: Graph, name: str, states: str, mask: Mask) -> str:
        own = f"{name}.attention.self"
        parts = {part: graph.linear(f"{own}.{part}", states) for part in ("query", "key", "value")}
        found = graph.linear(f"{name}.attention.output.dense", attend_onnx(graph, parts, mask, self.heads, self.size))
        states = self._norm(graph, f"{name}.attention.output.LayerNorm", graph.node("Add", found, states))
        inner = graph.linear(f"{name}.intermediate.dense", states)
        error = graph.node("Erf", graph.node("Div", inner, graph.number(2**0.5)))
        half = graph.node("Mul", inner, graph.number(0.5))
        inner = graph.node("Mul", half, graph.node("Add", error, graph.number(1.0)))
        found = graph.linear(f"{name}.output.dense", inner)
        return self._norm(graph, f"{name}.output.LayerNorm", graph.node("Add", found, states))

    def _norm(self, graph: Graph, name: str, value: str) -> str:
        parameters = graph.parameter(f"{name}.weight"), graph.parameter(f"{name}.bias")
        return graph.node("LayerNormalization", value, *parameters, axis=-1, epsilon=self._epsilon)


def read_config(directory: Path) -> dict[str, Any]:
    """Return the configuration of an encoder, with the names of a BERT's.

    Raises:
        InputRefused: there is none, or it is of another type.
    """
    try:
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        kind = config.get("model_type")
        family = _FAMILIES.get(kind, _FAMILIES["bert"])
        activation = config.get(family.activation, "gelu")
        config |= {name: config[own] for own, name in family.sizes}
        if kind == "distilbert":
            config["type_vocab_size"] = 1
        has_projection = config.get("embedding_size", config.get("hidden_size")) != config.get("hidden_size")
        sizes_are_whole = all(type(config[name]) is int and config[name] > 0 for name in _SIZES)
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise InputRefused(
            f"tower.directory {str(directory)!r} holds no readable config.json ({error!r}); give the directory of a "
            "BERT encoder, with --set tower.directory=DIR.",
            "E_ENCODER",
        ) from error
    positions = config.get("position_embedding_type", "absolute")
    if (
        kind not in _FAMILIES
        or (activation, positions, sizes_are_whole) != ("gelu", "absolute", True)
        or has_projection
    ):
        raise InputRefused(
            f"The encoder in {directory} is of the type {kind!r} with {activation!r} and {positions} positions; only "
            f"{', '.join(_FAMILIES)} with gelu, absolute positions and embeddings of the hidden size are supported.",
            "E_ENCODER",
        )
    return dict(config)


def read_tokens(directory: Path, max_length: int) -> TokenReader:
    """Return the reader of an encoder's word pieces.

    Raises:
        InputRefused: there is no vocabulary of BERT.
    """
    config = read_config(directory)
    try:
        lines = _vocabulary(directory)
        described = directory / "tokenizer_config.json"
        details = json.loads(described.read_text(encoding="utf-8")) if described.exists() else {}
        vocabulary = tuple(line.rstrip("\r") for line in lines)[: config["vocab_size"]]
        if vocabulary[:1] != ("[PAD]",):
            raise ValueError("the vocabulary does not begin with [PAD]")
        length = min(max_length, config["max_position_embeddings"])
        return TokenReader("wordpiece", vocabulary, length, strip_accents=bool(details.get("do_lower_case", True)))
    except (OSError, ValueError, AttributeError, LookupError, TypeError) as error:
        message = f"{directory} has no vocabulary of word pieces in vocab.txt or tokenizer.json ({error})."
        raise InputRefused(message, "E_ENCODER") from error


def _vocabulary(directory: Path) -> list[str]:
    """Return the word pieces in the order of their numbers."""
    plain, described = directory / "vocab.txt", directory / "tokenizer.json"
    if plain.exists() or not described.exists():
        return plain.read_text(encoding="utf-8").split("\n")
    model = json.loads(described.read_text(encoding="utf-8"))["model"]
    if model["type"] != "WordPiece":
        raise ValueError(f"its tokens are those of {model['type']}, not WordPiece")
    numbered: dict[str, int] = model["vocab"]
    return sorted(numbered, key=numbered.__getitem__)


def read_weights(directory: Path, config: dict[str, Any]) -> dict[str, Tensor]:
    """Return the weights of an encoder by the names of a BERT's.

    Raises:
        InputRefused: there are none, or the file is damaged.
    """
    safe, old = directory / "model.safetensors", directory / "pytorch_model.bin"
    try:
        found = _read_safetensors(safe) if safe.exists() else torch.load(old, map_location="cpu", weights_only=True)
        return _as_bert({name: value.float() for name, value in found.items()}, config)
    except (OSError, ValueError, LookupError, RuntimeError, TypeError) as error:
        raise InputRefused(
            f"{directory} has no readable weights ({error}); it needs model.safetensors.", "E_ENCODER"
        ) from error


def _as_bert(weights: dict[str, Tensor], config: dict[str, Any]) -> dict[str, Tensor]:
    found = {}
    for name, value in weights.items():
        name = name.removeprefix(f"{config['model_type']}.")
        for own, berts in _FAMILIES[config["model_type"]].weights:
            name = name.replace(own, berts)
        found[name] = value
    if config["type_vocab_size"] == 1:  # DistilBERT has no types of tokens
        found.setdefault(_TOKEN_TYPES, torch.zeros(1, config["hidden_size"]))
    return found


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read the format: the length of a header in JSON, the header, then the numbers."""
    content = np.memmap(path, dtype=np.uint8, mode="r")
    size = int(content[:8].view("<u8")[0])
    header = json.loads(bytes(content[8 : 8 + size]))
    found = {}
    for name, one in header.items():
        if name != "__metadata__":
            start, stop = (8 + size + offset for offset in one["data_offsets"])
            values = np.frombuffer(bytes(content[start:stop]), dtype=_TYPES[one["dtype"]])
            if one["dtype"] == "BF16":  # the upper half of a float
                values = (values.astype("<u4") << 16).view("<f4")
            found[name] = torch.from_numpy(values.reshape(one["shape"]).copy())
    return found
