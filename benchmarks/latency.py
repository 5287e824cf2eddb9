"""Time queries in a warm process: one by one, and many at once; compare with the bars.

    python benchmarks/latency.py --workspace DIR --texts FILE [--queries N] [--threads N] [--output FILE]

The texts asked for are drawn from FILE, read as ``dedup query --input`` reads it. With the file that was
indexed, each query has an exact match among its candidates.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from pathlib import Path

import bars
from bars import Result

from dedup.runtime.threads import compute_with, count

SEED = 1
WARM_UP = 200
LEAST_PROBABILITY = 0.05  # as `dedup query`


def measure(workspace: Path, texts: list[str]) -> Iterator[Result]:
    """Yield what it takes to open the workspace, to answer ``texts`` one by one, and as many of them at once."""
    import numpy as np

    from dedup.model import load_model
    from indexer.jobs.query import Searcher
    from indexer.store.workspace import Workspace

    place = Workspace(workspace)
    with place.open(for_writing=False) as store:
        yield Result("opening", "threads", count())
        begin = time.perf_counter()
        searcher = Searcher(store, place.snapshots, load_model())
        searcher.query(texts[:1])
        yield Result("opening", "to the first answer, s", time.perf_counter() - begin)

        for text in texts[1:WARM_UP]:
            searcher.query([text], min_probability=LEAST_PROBABILITY)
        single, many = texts[WARM_UP : (len(texts) + WARM_UP) // 2], texts[(len(texts) + WARM_UP) // 2 :]
        milliseconds = []
        for text in single:
            begin = time.perf_counter()
            searcher.query([text], min_probability=LEAST_PROBABILITY)
            milliseconds.append((time.perf_counter() - begin) * 1e3)
        for share, bar in ((50, bars.QUERY_P50_MS), (90, ""), (99, bars.QUERY_P99_MS)):
            yield Result("one query", f"p{share}, ms", float(np.percentile(milliseconds, share)), bar)

        searcher.query(single, min_probability=LEAST_PROBABILITY)  # starts the processes that compare
        begin = time.perf_counter()
        searcher.query(many, min_probability=LEAST_PROBABILITY)
        yield Result("many at once", "queries/s", len(many) / (time.perf_counter() - begin), bars.QUERIES_A_SECOND)


def draw(file: str, size: int) -> list[str]:
    """Return a seeded sample of the texts of a file that can be asked for."""
    from dedup.text.normalise import normalise
    from indexer.reading.open import ReadOptions, Row, open_table

    with open_table(file, ReadOptions()) as table:
        texts = [row.raw for row in table if isinstance(row, Row) and normalise(row.raw)]
    return random.Random(SEED).sample(texts, min(size, len(texts)))


def main() -> None:
    """Run the benchmark; exit with 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--texts", required=True, help="a file of texts to ask for")
    parser.add_argument("--queries", type=int, default=4_000, help="one half one by one, the other at once")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--output", type=Path, help="also write the results to this JSON file")
    arguments = parser.parse_args()

    compute_with(arguments.threads)
    texts = draw(arguments.texts, WARM_UP + arguments.queries)
    bars.show(measure(arguments.workspace, texts), arguments.output)


if __name__ == "__main__":
    main()
