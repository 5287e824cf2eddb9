"""Measure the steward's file of the README: branches told apart, copies found, one VAT number under two names found.

    python benchmarks/steward.py [--customers 10000] [--seed 21]

The customers are made up (``tests/support/planted_customers.py``). Indexes and reports them in a temporary folder with
``--field city --field vat``. Exits with 1 if a bar is missed.
"""

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import results
from fields import COMMAND
from process import run

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))

from planted_customers import planted


def share_together(clusters: Path, pairs: Iterable[tuple[str, str]]) -> float:
    """Return the share of pairs of which both are in one cluster."""
    with clusters.open(newline="", encoding="utf-8") as file:
        cluster_of = {row["id"]: row["cluster_id"] for row in csv.DictReader(file)}
    together = [one in cluster_of and cluster_of[one] == cluster_of.get(other) for one, other in pairs]
    return sum(together) / len(together)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=21)
    asked = parser.parse_args()
    file = planted(asked.customers, asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        names, output = Path(folder, "customers.csv"), Path(folder, "report")
        with names.open("w", newline="", encoding="utf-8") as table:
            writer = csv.DictWriter(table, list(file.rows[0]))
            writer.writeheader()
            writer.writerows(file.rows)
        where = ["--quiet", "--workspace", str(Path(folder, "workspace"))]
        columns = ["--text", "name", "--id", "no", "--field", "city", "--field", "vat"]
        run([*COMMAND, "index", str(names), *columns, *where])
        run([*COMMAND, "report", "--output", str(output), *where])
        apart = 1 - share_together(output / "clusters.csv", file.branches)
        found = [share_together(output / "clusters.csv", pairs) for pairs in (file.one_number, file.copies)]
    results.show(
        [
            results.result("steward", "records", len(file.rows)),
            results.result("steward", "other towns told apart", apart),
            results.result("steward", "one VAT number found", found[0]),
            results.result("steward", "copies found", found[1]),
        ]
    )


if __name__ == "__main__":
    main()
