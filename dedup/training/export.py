"""Export the shipped tower to ONNX, node by node: torch's exporter changes its graphs between versions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from dedup.errors import InputRefused
from dedup.training.network import DIMENSION, HIDDEN_SIZE, Tower

OPSET = 17
# torch orders the gates of an LSTM as input, forget, cell, output; ONNX as input, output, forget, cell.
_TORCH_TO_ONNX_GATES = (0, 3, 1, 2)


def _gates(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    blocks = np.split(weight, 4)
    return np.concatenate([blocks[i] for i in _TORCH_TO_ONNX_GATES])


def _torch_gates(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    blocks = np.split(weight, 4)
    return np.concatenate([blocks[_TORCH_TO_ONNX_GATES.index(i)] for i in range(4)])


def read_tower(path: Path) -> dict[str, Tensor]:
    """Return the parameters of a tower that ``export`` wrote, as torch keeps them.

    Raises:
        InputRefused: the file holds another encoder.
    """
    model = onnx.load(str(path), load_external_data=False)
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    if "gram_table" not in found:
        raise InputRefused(
            f"{path} is not an encoder of letters and grams; choose the preset that it was trained with.", "E_MODEL"
        )
    biases = np.split(found["lstm_b"][0], 2)
    state = {
        "symbol.weight": found["symbol_table"],
        "lstm.weight_ih_l0": _torch_gates(found["lstm_w"][0]),
        "lstm.weight_hh_l0": _torch_gates(found["lstm_r"][0]),
        "lstm.bias_ih_l0": _torch_gates(biases[0]),
        "lstm.bias_hh_l0": _torch_gates(biases[1]),
        "projection.weight": np.ascontiguousarray(found["projection_w"].T),
        "projection.bias": found["projection_b"],
        "gram.weight": found["gram_table"].astype(np.float32) * found["gram_scale"],
    }
    return {name: torch.from_numpy(value.copy()) for name, value in state.items()}


def export(tower: Tower, path: Path) -> None:
    """Write the tower to ``path`` as ONNX, with the gram table as int8 and one scale per dimension."""
    state = {name: value.detach().cpu().numpy().astype(np.float32) for name, value in tower.state_dict().items()}
    table = state["gram.weight"]
    scale = np.maximum(np.abs(table).max(axis=0), 1e-9) / 127
    bias = np.concatenate([_gates(state["lstm.bias_ih_l0"]), _gates(state["lstm.bias_hh_l0"])])
    constants = {
        "symbol_table": state["symbol.weight"],
        "lstm_w": _gates(state["lstm.weight_ih_l0"])[None],
        "lstm_r": _gates(state["lstm.weight_hh_l0"])[None],
        "lstm_b": bias[None],
        "projection_w": np.ascontiguousarray(state["projection.weight"].T),
        "projection_b": state["projection.bias"],
        "gram_table": np.rint(table / scale).astype(np.int8),
        "gram_scale": scale.astype(np.float32),
        "zero": np.array(0, dtype=np.int32),
        "low": np.array(-2.0, dtype=np.float32),
        "axis_time": np.array([1], dtype=np.int64),
        "axis_last": np.array([2], dtype=np.int64),
        "axis_direction": np.array([1], dtype=np.int64),
        "tiny": np.array(1e-12, dtype=np.float32),
    }
    graph = helper.make_graph(
        _nodes(),
        "siamese_tower",
        [
            helper.make_tensor_value_info(name, TensorProto.INT32, ["n", f"most_{name}"])
            for name in ("symbols", "grams")
        ],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", DIMENSION])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="neardup")
    model.ir_version = 10
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _nodes() -> list[onnx.NodeProto]:
    node = helper.make_node
    return [
        node("Greater", ["symbols", "zero"], ["real2"]),
        node("Unsqueeze", ["real2", "axis_last"], ["real"]),
        node("Cast", ["real"], ["mask"], to=TensorProto.FLOAT),
        node("ReduceSum", ["mask", "axis_time"], ["count"], keepdims=0),
        # The LSTM; ONNX expects time as the first axis.
        node("Gather", ["symbol_table", "symbols"], ["embedded"]),
        node("Transpose", ["embedded"], ["by_time"], perm=[1, 0, 2]),
        node("LSTM", ["by_time", "lstm_w", "lstm_r", "lstm_b"], ["by_time_out"], hidden_size=HIDDEN_SIZE),
        node("Squeeze", ["by_time_out", "axis_direction"], ["squeezed"]),
        node("Transpose", ["squeezed"], ["outputs"], perm=[1, 0, 2]),
        # Maximum and mean pooling over the characters, without padding.
        node("Where", ["real", "outputs", "low"], ["lifted"]),
        node("ReduceMax", ["lifted"], ["highest"], axes=[1], keepdims=0),
        node("Mul", ["outputs", "mask"], ["kept"]),
        node("ReduceSum", ["kept", "axis_time"], ["total"], keepdims=0),
        node("Div", ["total", "count"], ["mean"]),
        node("Concat", ["highest", "mean"], ["pooled"], axis=1),
        node("MatMul", ["pooled", "projection_w"], ["projected0"]),
        node("Add", ["projected0", "projection_b"], ["projected"]),
        # The bag of grams; bucket 0 is padding, and its row is zero.
        node("Greater", ["grams", "zero"], ["is_gram"]),
        node("Cast", ["is_gram"], ["gram_mask"], to=TensorProto.FLOAT),
        node("ReduceSum", ["gram_mask", "axis_time"], ["n_grams"]),
        node("Gather", ["gram_table", "grams"], ["gathered8"]),
        node("Cast", ["gathered8"], ["gathered"], to=TensorProto.FLOAT),
        node("ReduceSum", ["gathered", "axis_time"], ["summed"], keepdims=0),
        node("Mul", ["summed", "gram_scale"], ["scaled"]),
        node("Sqrt", ["n_grams"], ["root"]),
        node("Div", ["scaled", "root"], ["bag"]),
        node("Add", ["projected", "bag"], ["raw"]),
        node("ReduceL2", ["raw"], ["norm0"], axes=[1], keepdims=1),
        node("Max", ["norm0", "tiny"], ["norm"]),
        node("Div", ["raw", "norm"], ["vectors"]),
    ]
