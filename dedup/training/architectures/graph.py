"""Build an ONNX graph node by node: torch's exporter changes its graphs between versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from dedup.encoder.onnx import TOKENS

OPSET = 17
_IR_VERSION = 10
_LARGEST = 2_000_000_000  # bytes; a file of protocol buffers holds less than 2 GiB


class Graph:
    """Nodes, constants and parameters of a graph; values are known by their names.

    Parameters are those of ``module``, named and laid out as in torch; nodes bring them into the form that ONNX needs,
    and ONNX Runtime computes these once, when it loads the file. ``attention`` are the weights of each block of a
    tower, (n, heads, length, length).
    """

    def __init__(self, module: nn.Module) -> None:
        self._state = {name: value.detach().cpu().numpy() for name, value in module.state_dict().items()}
        self._nodes: list[onnx.NodeProto] = []
        self._initialisers: dict[str, NDArray[Any]] = {}
        self.attention: list[str] = []
        self._outputs: list[tuple[str, str, tuple[int | str, ...]]] = []

    def parameter(self, name: str) -> str:
        """Return the parameter of the module with torch's ``name``."""
        self._initialisers[name] = self._state[name].astype(np.float32)
        return name

    def numbers(self, *values: int) -> str:
        """Return a constant of whole numbers, such as axes."""
        return self._constant("numbers", np.array(values, dtype=np.int64))

    def index(self, value: int) -> str:
        """Return a constant whole number that is not a list of one."""
        return self._constant("index", np.array(value, dtype=np.int64))

    def number(self, value: float) -> str:
        """Return a constant scalar."""
        return self._constant("number", np.array(value, dtype=np.float32))

    def table(self, values: NDArray[Any]) -> str:
        """Return a constant array."""
        return self._constant("table", values)

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401 - as ONNX's
        """Add a node with one output and return that."""
        return self.nodes(kind, inputs, 1, **attributes)[0]

    def nodes(self, kind: str, inputs: Sequence[str], n: int, **attributes: Any) -> list[str]:  # noqa: ANN401
        """Add a node with ``n`` outputs and return them."""
        outputs = [f"{kind}_{len(self._nodes)}_{at}" for at in range(n)]
        self._nodes.append(helper.make_node(kind, list(inputs), outputs, **attributes))
        return outputs

    def linear(self, name: str, value: str) -> str:
        """Add torch's ``nn.Linear`` with the parameters ``name.weight`` and ``name.bias``."""
        weight = self.node("Transpose", self.parameter(f"{name}.weight"), perm=[1, 0])
        return self.node("Add", self.node("MatMul", value, weight), self.parameter(f"{name}.bias"))

    def norm(self, value: str, axis: int) -> str:
        """Return Euclidean norms along an axis that is kept; never 0."""
        length = self.node("ReduceL2", value, axes=[axis], keepdims=1)
        return self.node("Max", length, self.number(1e-12))

    def output(self, name: str, value: str, *shape: int | str) -> None:
        """Make a value of shape (n, *``shape``) an output of the graph."""
        self._outputs.append((name, value, shape))

    def write(self, path: Path, inputs: Mapping[str, tuple[int, Sequence[str | int]]], metadata: str = "") -> None:
        """Write the graph; ``inputs`` are types and shapes by name, ``metadata`` the tokens of an encoder.

        Raises:
            ValueError: the parameters are too large for one file.
        """
        nodes = [*self._nodes, *(helper.make_node("Identity", [value], [name]) for name, value, _ in self._outputs)]
        if sum(value.nbytes for value in self._initialisers.values()) > _LARGEST:
            raise ValueError("the model is too large for one ONNX file")
        graph = helper.make_graph(
            nodes,
            "siamese",
            [helper.make_tensor_value_info(name, kind, list(shape)) for name, (kind, shape) in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape]) for name, _, shape in self._outputs],
            [numpy_helper.from_array(np.asarray(v, order="C"), name) for name, v in self._initialisers.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="neardup")
        model.ir_version = _IR_VERSION
        if metadata:
            helper.set_model_props(model, {TOKENS: metadata})
        onnx.checker.check_model(model)
        onnx.save(model, str(path))

    def _constant(self, kind: str, values: NDArray[Any]) -> str:
        name = f"constant.{kind}.{len(self._initialisers)}"
        self._initialisers[name] = values
        return name


@dataclass(frozen=True, slots=True)
class Mask:
    """Names of values in a graph.

    Attributes:
        flags: (n, length) bool, true for real tokens.
        numbers: The same as 0 and 1, (n, length, 1) float32.
        lengths: Tokens of each text, (n,) int32.

    """

    flags: str
    numbers: str
    lengths: str


def mask_of(graph: Graph, tokens: str) -> Mask:
    """Return the mask of (n, length) int32 tokens, where 0 is padding."""
    flags = graph.node("Cast", tokens, to=TensorProto.BOOL)
    whole = graph.node("Cast", flags, to=TensorProto.INT32)
    lengths = graph.node("ReduceSum", whole, graph.numbers(1), keepdims=0)
    numbers = graph.node("Unsqueeze", graph.node("Cast", flags, to=TensorProto.FLOAT), graph.numbers(2))
    return Mask(flags, numbers, lengths)


def parameters_of(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return the parameters in a file that ``Graph`` wrote, by torch's names."""
    model = onnx.load(str(path), load_external_data=False)
    return {
        tensor.name: numpy_helper.to_array(tensor).copy()
        for tensor in model.graph.initializer
        if not tensor.name.startswith("constant.")
    }
