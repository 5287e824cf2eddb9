"""``dedup train``: train a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import options
from cli.show.notes import say

EXAMPLES = options.examples("dedup train data -o model --seed 1")


def train(
    data: Annotated[Path, typer.Argument(metavar="DATA_DIR", help="Directory with the training data.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Directory for the model.")],
    steps: Annotated[
        int | None,
        typer.Option("--steps", metavar="N", min=1, help="Training steps. Default: those of the shipped model."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", metavar="N", min=0, max=2**63 - 1, help="Random seed. Default: that of the shipped model."
        ),
    ] = None,
) -> None:
    """Train a model.

    Trains an encoder and a scorer. If the output directory already has a model whose encoder has the same
    settings, only its scorer is fitted again. Needs torch: pip install 'neardup[train]'.
    """
    from importlib.util import find_spec

    from dedup.errors import UsageError

    is_model = any((output / name).exists() for name in ("manifest.json", "checkpoint.pt"))
    if not is_model and output.is_dir() and any(output.iterdir()):
        raise UsageError(f"--output {output} holds other files than a model; give a new or empty directory.")
    if find_spec("torch") is None:
        raise UsageError("Training needs torch: pip install 'neardup[train]'")
    from dedup.training.command import train as train_model

    train_model(data, output, steps, seed, say)
