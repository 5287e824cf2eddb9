"""The head of a trained network in ONNX Runtime: from the vectors of two texts to a similarity or to classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dedup.encoder.onnx import REMEDY, OnnxEncoder
from dedup.errors import VersionMismatch
from dedup.runtime.onnx_session import session

HEAD = "head.onnx"
_PAIRS_PER_STEP = 4_096


class OnnxHead:
    """Compares texts through an encoder."""

    def __init__(self, path: Path, encoder: OnnxEncoder) -> None:
        """Load the head.

        Raises:
            VersionMismatch: the file is not a head for vectors of this encoder.
        """
        self._encoder = encoder
        try:
            self._session = session(path)
            self._run(np.zeros((1, encoder.dimension), np.float32), np.zeros((1, encoder.dimension), np.float32))
        except MemoryError:
            raise
        except Exception as error:  # those of ONNX Runtime have no common base class
            raise VersionMismatch(f"{path} is not a head of this version ({error}); {REMEDY}") from error

    def compare(self, left: Sequence[str], right: Sequence[str]) -> NDArray[np.float64]:
        """Return similarities (n,), or the probabilities of classes (n, classes), of n pairs of normal forms."""
        at = {text: row for row, text in enumerate(dict.fromkeys([*left, *right]))}
        vectors = self._encoder.pooled(list(at))
        sides = [np.array([at[text] for text in side], dtype=np.int64) for side in (left, right)]
        parts = [
            self._run(
                vectors[sides[0][start : start + _PAIRS_PER_STEP]], vectors[sides[1][start : start + _PAIRS_PER_STEP]]
            )
            for start in range(0, len(left), _PAIRS_PER_STEP)
        ]
        found = np.concatenate(parts) if parts else np.zeros((0, 1))
        return found[:, 0] if found.shape[1] == 1 else found

    def _run(self, left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
        (found,) = self._session.run(None, {"left": left, "right": right})
        if found.ndim != 2 or len(found) != len(left):
            raise ValueError(f"an output of shape {found.shape}")
        return np.asarray(found, dtype=np.float64)
