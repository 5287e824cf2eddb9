"""Measure what it takes to link leads to accounts, beside ``dedup query --input`` on the same index in the same run.

    python benchmarks/linking.py --data DATA [--leads 2000] [--accounts 40000]

The accounts are names of ``DATA/names/organisations.csv.gz``; half of the leads are accounts with a letter changed, the
others names of their own. Processor seconds count child processes too. Prints one JSON line, and exits with 1 if
linking takes more than 1.5 times the seconds of the query.
"""

import argparse
import csv
import json
import random
import tempfile
from collections.abc import Iterable
from pathlib import Path

import process

from dedup.training.data.sources import read_rows

BAR = 1.5
SEED = 18


def names_of(data: Path, count: int, rng: random.Random) -> list[str]:
    """Return ``count`` different names in random order."""
    names = list(dict.fromkeys(row["name"] for row in read_rows(data / "names" / "organisations.csv.gz")))
    return rng.sample(names, count)


def misspelt(name: str, rng: random.Random) -> str:
    """Return a name with one letter dropped."""
    at = rng.randrange(len(name))
    return name[:at] + name[at + 1 :]


def write(path: Path, names: Iterable[str]) -> str:
    """Write a list with ids and return its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerows([("id", "name"), *enumerate(names, 1)])
    return str(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--leads", type=int, default=2_000)
    parser.add_argument("--accounts", type=int, default=40_000)
    arguments = parser.parse_args()
    rng = random.Random(SEED)
    names = names_of(arguments.data, arguments.accounts + arguments.leads // 2, rng)
    known, others = names[: arguments.accounts], names[arguments.accounts :]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        accounts = write(place / "accounts.csv", known)
        leads = write(place / "leads.csv", [*(misspelt(name, rng) for name in known[: len(others)]), *others])
        workspace = ["--quiet", "--workspace", str(place / "workspace")]
        rows = ["--output", str(place / "rows.csv")]
        accept = (0, process.SOME_ROWS_REJECTED)
        commands = {
            "index": ["index", accounts, *workspace],
            "query": ["query", "--input", leads, *workspace, *rows],
            "link_against": ["link", leads, "--against", "accounts", *workspace, *rows],
            "link": ["link", leads, accounts, *workspace, *rows],
        }
        taken = {
            kind: process.run([process.DEDUP, *command], accept=accept).processor_seconds
            for kind, command in commands.items()
        }
    ratio = taken["link_against"] / taken["query"]
    print(json.dumps({**{kind: round(seconds, 1) for kind, seconds in taken.items()}, "ratio": round(ratio, 2)}))
    if ratio > BAR:
        raise SystemExit(f"MISSED: linking took {ratio:.2f} times the seconds of the query, at most {BAR} are allowed.")


if __name__ == "__main__":
    main()
