"""Sessions of ONNX Runtime, without its telemetry. No other module imports it.

From 1.31 on, ONNX Runtime for Linux writes the id of a device and a database of events into the user's cache and sends
them to its maker, unless the environment says otherwise when the library is loaded.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dedup.runtime.onnx_file import check_self_contained

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def session(model: Path | bytes) -> InferenceSession:
    """Load a model, a file or its content; it computes in the thread that calls it.

    Raises:
        ValueError: it is no ONNX model, or keeps weights in another file.
    """
    content = model if isinstance(model, bytes) else model.read_bytes()
    check_self_contained(content)
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # whatever the user's environment says; child processes inherit it
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # for a program that had imported it before
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, sess_options=options, providers=["CPUExecutionProvider"])
