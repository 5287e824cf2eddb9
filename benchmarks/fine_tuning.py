"""What a few labels are worth: the shipped model fine-tuned on 100, 300 and 1,000 labelled pairs.

    python benchmarks/fine_tuning.py --data ../shared/data --work build/fine_tuning
    python benchmarks/fine_tuning.py ... --parts encoder --sets toponyms --labels 1000 --draws 1

Each line draws labels from the training file, fine-tunes a part of the shipped model as `dedup train` does, and
measures the best F1 of the probabilities on the whole validation file. Where the command refuses, the shipped model is
kept. Results are kept in WORK, one line each, so that an interrupted run continues.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from results import PAGES
from siamese import SETS, read

from dedup.encoder.onnx import pair_similarities
from dedup.errors import InputRefused
from dedup.evaluation import measures
from dedup.evaluation.pair_set import PairSet
from dedup.model import Model, load_model
from dedup.runtime.progress import no_progress
from dedup.training.toolkit.recipe import recipe_of
from dedup.training.toolkit.scorer_task import Task, fine_tune
from dedup.training.toolkit.train_pairs import train_network

NAMES = ("amazon_google", "toponyms", "afqmc")
_FILES = {"amazon_google": ("pairs/amazon_google_train", "pairs/amazon_google_validation")}
_INTRODUCTION = (
    "Written by `benchmarks/fine_tuning.py`: best F1 on the validation file, the shipped model against the same with "
    "its scorer or encoder fine-tuned. One number for each draw of the labels; `kept` where the command wrote nothing."
)


def drawn(pairs: PairSet, count: int, seed: int) -> PairSet:
    """Return ``count`` of the pairs, drawn at random."""
    return pairs.select(np.random.default_rng(seed).permutation(len(pairs))[:count])


def best_f1(model: Model, pairs: PairSet) -> float:
    """Return the best F1 of a model's probabilities."""
    found = model.compare(pairs.left, pairs.right, pair_similarities(model.encoder, pairs.left, pairs.right))
    return measures.best_f1(pairs.positive.astype(int), found)[0]


def tuned(part: str, pairs: PairSet, measured: PairSet, seed: int, folder: Path) -> dict[str, Any]:
    """Fine-tune a part of the shipped model and measure it."""
    base = load_model()
    task = Task(pairs, folder, base, base if part == "encoder" else None, "benchmarks/fine_tuning.py", {}, fresh=True)
    notes: list[str] = []
    start = time.process_time()
    try:
        if part == "scorer":
            fine_tune(task, seed, no_progress, notes.append)
        else:
            train_network(task, recipe_of(base.manifest, [f"training.seed={seed}"]), no_progress, notes.append)
    except InputRefused as error:
        return {"kept": error.code, "why": str(error), "seconds": round(time.process_time() - start, 1)}
    warned = [note for note in notes if note.startswith("Warning")]
    spent = round(time.process_time() - start, 1)
    return {"best_f1": round(best_f1(load_model(folder), measured), 4), "seconds": spent, "warned": warned}


def table(lines: Sequence[dict[str, Any]], counts: Iterable[int]) -> str:
    """Return the results as a table: a row for each data set and part, a column for each number of labels."""
    rows = []
    for name, part in dict.fromkeys((line["data"], line["part"]) for line in lines):
        own = sorted((one for one in lines if (one["data"], one["part"]) == (name, part)), key=lambda one: one["draw"])
        cells = [", ".join(str(one.get("best_f1", "kept")) for one in own if one["labels"] == n) for n in counts]
        rows.append(f"| {name} | {part} | {own[0]['shipped']} | {' | '.join(cells)} |")
    titles = " | ".join(f"{count:,}" for count in counts)
    return f"| data | part | shipped | {titles} |\n|{'---|' * (3 + len(list(counts)))}\n" + "\n".join(rows) + "\n"


def main() -> None:
    """Run what is not yet kept, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(NAMES), help="data sets, separated by commas")
    parser.add_argument("--parts", default="scorer,encoder", help="parts to fine-tune, separated by commas")
    parser.add_argument("--labels", default="100,300,1000", help="numbers of labels, separated by commas")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--page", type=Path, default=PAGES / "fine_tuning.md")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    kept = args.work / "results.jsonl"
    lines = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    done = {(line["data"], line["part"], line["labels"], line["draw"]) for line in lines}
    counts = [int(count) for count in args.labels.split(",")]
    for name in args.sets.split(","):
        training, validation = _FILES.get(name) or SETS[name][:2]
        pairs, measured = read(args.data, training, {}), read(args.data, str(validation), {})
        shipped = round(best_f1(load_model(), measured), 4)
        wanted = [(part, n, draw) for part in args.parts.split(",") for n in counts for draw in range(args.draws)]
        for part, n, draw in wanted:
            if (name, part, n, draw) in done:
                continue
            found = tuned(
                part, drawn(pairs, n, draw), measured, draw, args.work / "models" / f"{name}-{part}-{n}-{draw}"
            )
            lines.append({"data": name, "part": part, "labels": n, "draw": draw, "shipped": shipped, **found})
            with kept.open("a") as file:
                file.write(json.dumps(lines[-1]) + "\n")
            sys.stderr.write(f"{lines[-1]}\n")
    args.page.write_text(f"# Fine-tuning\n\n{_INTRODUCTION}\n\n{table(lines, counts)}", encoding="utf-8")


if __name__ == "__main__":
    main()
