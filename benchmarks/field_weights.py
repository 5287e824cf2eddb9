"""Measure what further columns add to names: pair F1 and calibration of decisions on candidate pairs.

    python benchmarks/field_weights.py --data DATA [--records 20000] [--file irs_nonprofits_validation] ...

Reads ``DATA/fields``. Candidates are all pairs of records whose names are near (probability of the names at least
0.02, or the same normal form) and those that share an id or a phone number; true pairs beyond them count as missed.
Without labels. Prints a JSON line for each file: F1 at 0.5 by names alone (where equal names are the same), and with
fields.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from fields import FILES, RECORDS, Rows, sampled
from numpy.typing import NDArray

from dedup.evaluation.measures import best_f1, expected_calibration_error
from dedup.evidence.fields.agreement import pieces_of
from dedup.evidence.fields.field_kinds import FieldKind
from dedup.evidence.fields.field_model import EQUAL_NAMES, FieldModel
from dedup.evidence.fields.field_table import FieldTable
from dedup.evidence.fields.normal_forms import Field
from dedup.evidence.scorer import logistic
from dedup.model import Model, load_model
from dedup.text.normalise import normalise
from dedup.training.data.sources import read_rows
from indexer.jobs.compare import compare_many
from indexer.jobs.duplicates import duplicates_of_texts

NEAR = 0.02
MOST_SHARED = 50


class Candidates(NamedTuple):
    """Pairs of records (p, 2), the log-odds of their names (p,), and whether those are near (p,)."""

    pairs: NDArray[np.int64]
    log_odds: NDArray[np.float64]
    near: NDArray[np.bool_]


def pairs_within(groups: Iterable[Sequence[int]]) -> set[tuple[int, int]]:
    """Return all pairs within groups of records."""
    return {pair for group in groups for pair in combinations(sorted(group), 2)}


def candidates_of(model: Model, names: Sequence[str], table: FieldTable) -> Candidates:
    """Return the pairs to decide about."""
    records = defaultdict(list)
    for record, name in enumerate(names):
        records[normalise(name)].append(record)
    texts = list(records)
    near = duplicates_of_texts(texts, model, min_probability=NEAR)
    found = dict.fromkeys(pairs_within(records.values()), EQUAL_NAMES)
    probabilities = np.clip(near.probabilities, 1e-6, 1 - 1e-6)
    for (left, right), log_odds in zip(near.pairs, np.log(probabilities / (1 - probabilities)), strict=True):
        pairs = ((a, b) for a in records[texts[left]] for b in records[texts[right]])
        found.update({(min(pair), max(pair)): float(log_odds) for pair in pairs})
    shared = sorted(sharing(table) - set(found))
    sides = [[names[pair[side]] for pair in shared] for side in (0, 1)]
    of_shared = np.clip(compare_many(near.model, *sides)[0], 1e-6, 1 - 1e-6)
    pairs = np.array([*found, *shared], dtype=np.int64)
    log_odds = np.concatenate([list(found.values()), np.log(of_shared / (1 - of_shared))])
    return Candidates(pairs, log_odds, np.arange(len(pairs)) < len(found))


def sharing(table: FieldTable) -> set[tuple[int, int]]:
    """Return the pairs of records with one id or phone number that few records hold."""
    found: set[tuple[int, int]] = set()
    for column in table.columns:
        if column.kind in (FieldKind.ID, FieldKind.PHONE):
            groups = defaultdict(list)
            for record in np.flatnonzero(column.codes >= 0).tolist():
                groups[column.codes[record]].append(record)
            found |= pairs_within(group for group in groups.values() if len(group) <= MOST_SHARED)
    return found


def f1(decided: NDArray[np.bool_], truth: NDArray[np.bool_], true_pairs: int) -> list[float]:
    """Return precision, recall and F1 of decisions on candidates, of all true pairs."""
    right = int((decided & truth).sum())
    precision, recall = right / max(int(decided.sum()), 1), right / max(true_pairs, 1)
    return [round(one, 4) for one in (precision, recall, 2 * right / max(int(decided.sum()) + true_pairs, 1))]


def measure(model: Model, name: str, rows: Rows) -> dict[str, object]:
    of_name, of_fields = FILES[name]
    names = [" ".join(row[column] for column in of_name).strip() or f"unknown {row['id']}" for row in rows]
    fields = {
        label: Field(FieldKind(label), [" ".join(row[one] for one in columns).strip() for row in rows])
        for label, columns in of_fields.items()
    }
    clock = time.process_time()
    table = FieldTable.of(names, fields)
    seconds = {"table": time.process_time() - clock}
    entities = defaultdict(list)
    for record, row in enumerate(rows):
        entities[row["entity_id"]].append(record)
    true_pairs = pairs_within(entities.values())
    pairs, log_odds, near = candidates_of(model, names, table)
    truth = np.array([tuple(pair) in true_pairs for pair in pairs.tolist()])
    clock = time.process_time()
    learnt = FieldModel.fit(table, pairs[near], log_odds[near])
    seconds["fit"] = time.process_time() - clock
    clock = time.process_time()
    both = log_odds + learnt.log_odds(table, pairs, log_odds)
    seconds["decide"] = time.process_time() - clock
    shipped = log_odds + FieldModel.shipped(table).log_odds(table, pairs, log_odds)
    judged = log_odds + FieldModel.fit(table, pairs, log_odds, truth.astype(np.int8)).log_odds(table, pairs, log_odds)
    best, threshold = best_f1(truth, logistic(both))
    return {
        "file": name,
        "records": len(rows),
        "candidates": len(pairs),
        "true pairs": len(true_pairs),
        "true candidates": int(truth.sum()),
        "names alone": f1(near & (log_odds > 0), truth, len(true_pairs)),
        "with fields": f1(both > 0, truth, len(true_pairs)),
        "shipped weights": f1(shipped > 0, truth, len(true_pairs)),
        "all pairs labelled": f1(judged > 0, truth, len(true_pairs)),
        "best F1 among candidates": [round(best, 4), round(threshold, 3)],
        "calibration error, names": round(expected_calibration_error(truth[near], logistic(log_odds[near])), 4),
        "calibration error": round(expected_calibration_error(truth, logistic(both)), 4),
        "calibration error, all pairs labelled": round(expected_calibration_error(truth, logistic(judged)), 4),
        "processor seconds": {stage: round(spent, 2) for stage, spent in seconds.items()},
        "levels": {piece.label: weights(piece.levels, learnt, piece.label) for piece in pieces_of(table)},
        "offsets": learnt.offsets.round(2).tolist(),
    }


def weights(levels: Sequence[str], learnt: FieldModel, label: str) -> dict[str, float]:
    """Return the weights of the levels that occurred, and the slope of rarity."""
    own = learnt.pieces[label]
    shown = {level: round(float(weight), 2) for level, weight in zip(levels, own.levels, strict=True)}
    return {**shown, "slope": round(own.slope, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--file", action="append", choices=sorted(FILES))
    parser.add_argument("--weights", action="store_true", help="print the learnt weights too")
    arguments = parser.parse_args()
    model = load_model()
    for name in arguments.file or sorted(FILES.keys() - {"irs_nonprofits_train"}):
        rows = list(read_rows(arguments.data / "fields" / f"{name}.csv.gz"))
        found = measure(model, name, sampled(rows, arguments.records))
        print(
            json.dumps(
                {key: value for key, value in found.items() if arguments.weights or key not in ("levels", "offsets")}
            )
        )


if __name__ == "__main__":
    main()
