"""Corrupt the snapshot's file: it must be noticed before FAISS sees a byte, and cost nothing but time.

    python tests/faults/corrupt.py --rounds 10000 [--seed 1] [--output FILE]

Each round corrupts the current file of one of two workspaces (one is scanned, one has cells). Then the checks of
``dedup verify`` must call it bad, a query must warn once and answer as brute force does, FAISS must not have been
asked to read anything, and the rebuilt snapshot must have the same bytes as before. ``--control`` removes the
checksum: every round must then fail.
"""

import argparse
import json
import logging
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import faiss
import numpy as np
from jobs import SOURCE, load_rows, model
from numpy.typing import NDArray

from dedup.text.normalise import normalise
from indexer.jobs.query import Match, Searcher
from indexer.jobs.verify import verify, worst_kind
from indexer.store.workspace import Workspace
from indexer.vectors import snapshot, snapshot_file
from indexer.vectors.snapshot import Snapshots

TEXTS = 1_500  # from 512 to 2,000: in 128 cells, all of which a query searches, so its answers are exact
QUERIES = ["granite 7", "granite willow 700", "north harbor 3", "copper", "summit meadow 1499 trading"]
LIMIT = 20
WORDS = ("granite", "willow", "harbor", "copper", "summit", "meadow", "falcon", "north", "cobalt", "birch")
PAGE = 4096
MODEL = model()


@dataclass
class Site:
    """A workspace with a published snapshot, and files that a careless program could take for it."""

    snapshots: Snapshots
    texts: int
    golden: bytes = b""
    older: list[bytes] = field(default_factory=list)
    foreign: bytes = b""
    answers: list[list[tuple[str, float]]] = field(default_factory=list)

    def publish(self) -> bytes:
        self.snapshots.publish(MODEL.model_id)
        return self.path.read_bytes()

    @property
    def path(self) -> Path:
        """The file that the database points to."""
        current = self.snapshots.store.current_snapshot()
        assert current is not None
        return self.snapshots.directory / current.file_name


def brute_force(texts: list[str]) -> list[list[tuple[str, float]]]:
    """Return for each query the normal forms and cosines of all texts, nearest first, in float64."""
    codes, queries = (MODEL.encoder.encode(some).astype(np.float64) for some in (texts, list(map(normalise, QUERIES))))
    cosines = queries @ codes.T / np.linalg.norm(queries, axis=1)[:, None] / np.linalg.norm(codes, axis=1)
    return [sorted(zip(texts, row.tolist(), strict=True), key=lambda pair: -pair[1]) for row in cosines]


@contextmanager
def sites(directory: Path, texts: int, url: Callable[[], str | None]) -> Iterator[list[Site]]:
    """Fill two workspaces with ``texts`` each, and keep three older generations of each, one of the same size."""
    with ExitStack() as stack:
        found = []
        for number, flat_up_to in enumerate((50_000, 100)):
            place = Workspace(directory / str(number), url())
            store = stack.enter_context(place.open(for_writing=True))
            site = Site(Snapshots(store, place.snapshots, flat_up_to=flat_up_to), texts)
            rng = random.Random(number)
            names = [f"{rng.choice(WORDS)} {rng.choice(WORDS)} {n}" for n in range(texts)]
            for some in (names[: texts // 2], names[:-1], [*names[:-1], "one that was renamed"], names):
                rows = [(f"r{n}", name, "") for n, name in enumerate(some)]
                load_rows(Snapshots(store, place.snapshots), rows, SOURCE)
                site.older.append(site.publish())
            site.golden = site.older.pop()
            site.answers = brute_force(sorted(map(normalise, names)))
            found.append(site)
        found[0].foreign, found[1].foreign = found[1].golden, found[0].golden
        yield found


# Corruptions: what becomes of the bytes, or of the file


def flip(content: bytearray, bits: int, rng: random.Random) -> bytes:
    for bit in rng.sample(range(8 * len(content)), bits):
        content[bit // 8] ^= 1 << bit % 8
    return bytes(content)


def overwrite(content: bytearray, block: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    content[start : start + len(block)] = block[: len(content) - start]
    return bytes(content)


def swap(content: bytearray, size: int, rng: random.Random) -> bytes:
    one, other = sorted(rng.sample(range(len(content) // size), 2))
    a, b = slice(one * size, (one + 1) * size), slice(other * size, (other + 1) * size)
    content[a], content[b] = content[b], content[a]
    return bytes(content)


def other_index(site: Site, rng: random.Random) -> bytes:
    """Return a sound file of FAISS of as many vectors, but of another type."""
    index = faiss.IndexFlatIP(rng.choice((8, 16, 32)))
    index.add(np.zeros((site.texts, index.d), np.float32))
    return bytes(faiss.serialize_index(index).tobytes())


def copy_of(site: Site) -> bytearray:
    return bytearray(site.golden)


CONTENTS: dict[str, tuple[int, Callable[[Site, random.Random], bytes]]] = {
    "one bit flipped": (30, lambda site, rng: flip(copy_of(site), 1, rng)),
    "2 to 64 bits flipped": (10, lambda site, rng: flip(copy_of(site), rng.randint(2, 64), rng)),
    "cut anywhere": (8, lambda site, rng: site.golden[: rng.randrange(1, len(site.golden))]),
    "bytes appended": (8, lambda site, rng: site.golden + rng.randbytes(rng.randint(1, 2 * PAGE))),
    "zeros appended": (2, lambda site, rng: site.golden + bytes(rng.choice((1, 512, PAGE)))),
    "block of zeros": (8, lambda site, rng: overwrite(copy_of(site), bytes(rng.choice((1, 512, PAGE))), rng)),
    "block of noise": (8, lambda site, rng: overwrite(copy_of(site), rng.randbytes(rng.randint(1, 999)), rng)),
    "two blocks swapped": (6, lambda site, rng: swap(copy_of(site), rng.choice((8, 64, 512, PAGE)), rng)),
    "noise of the same size": (2, lambda site, rng: rng.randbytes(len(site.golden))),
    "zeros of the same size": (1, lambda site, rng: bytes(len(site.golden))),
    "an older generation": (4, lambda site, rng: rng.choice(site.older)),
    "an older one, same size": (4, lambda site, rng: site.older[2]),
    "of another workspace": (3, lambda site, rng: site.foreign),
    "another type of index": (2, other_index),
    "empty": (1, lambda site, rng: b""),
}
"""The weight of each kind, and the bytes that the file then holds."""
FILES: dict[str, tuple[int, Callable[[Path], object]]] = {
    "missing": (1, lambda path: None),
    "a folder": (1, lambda path: path.mkdir()),
    "a pipe": (1, os.mkfifo),
    "a link to nowhere": (1, lambda path: path.symlink_to("nowhere")),
    "a link to the same bytes": (1, lambda path: path.symlink_to("elsewhere")),
}
"""The same, for what replaces the file; ``elsewhere`` holds its bytes."""
CUT_AT_PAGES = "cut at each 4 KiB"


def schedule(found: list[Site], rounds: int, seed: int) -> Iterator[tuple[Site, str, Callable[[], object]]]:
    """Yield the corruptions: all cuts at multiples of 4 KiB first, then others at random."""
    cuts = [(site, size) for site in found for size in range(0, len(site.golden), PAGE)]
    for site, size in cuts:
        yield site, CUT_AT_PAGES, lambda site=site, size=size: site.path.write_bytes(site.golden[:size])
    rng = random.Random(seed)
    kinds = CONTENTS | FILES
    for kind in rng.choices(list(kinds), [weight for weight, _ in kinds.values()], k=max(0, rounds - len(cuts))):
        site = rng.choice(found)
        if kind in FILES:
            yield site, kind, lambda site=site, kind=kind: replace_file(site, kind)
            continue
        content = site.golden
        while content == site.golden:  # zeros where there were zeros
            content = CONTENTS[kind][1](site, rng)
        yield site, kind, lambda site=site, content=content: site.path.write_bytes(content)


def replace_file(site: Site, kind: str) -> None:
    path = site.path
    path.with_name("elsewhere").write_bytes(site.golden)
    path.unlink(missing_ok=True)
    FILES[kind][1](path)


# One round


class Witness(logging.Handler):
    """Counts the warnings, and what FAISS was asked to read."""

    def __init__(self) -> None:
        super().__init__()
        self.readers = {name: Mock(wraps=getattr(faiss, name)) for name in ("read_index", "deserialize_index")}
        self._warnings = 0

    def emit(self, record: logging.LogRecord) -> None:
        self._warnings += 1

    def seen(self) -> tuple[int, int]:
        """Return and forget the reads and warnings so far."""
        result = sum(reader.call_count for reader in self.readers.values()), self._warnings
        self._warnings = 0
        for reader in self.readers.values():
            reader.reset_mock()
        return result


@contextmanager
def watching() -> Iterator[Witness]:
    """Count what FAISS reads, and take the warnings instead of printing them."""
    witness = Witness()
    log = logging.getLogger("indexer")
    with patch.multiple(faiss, **witness.readers), patch.multiple(log, propagate=False, handlers=[witness]):
        yield witness


def same_answers(site: Site) -> bool:
    """Tell whether every query is answered as by brute force; equal similarities may come in any order."""
    found = Searcher(site.snapshots, MODEL).query(QUERIES, limit=LIMIT)
    return all(_agrees(matches, expected) for matches, expected in zip(found, site.answers, strict=True))


def _agrees(matches: list[Match], expected: list[tuple[str, float]]) -> bool:
    cosines = dict(expected)
    return len(matches) == LIMIT and all(
        abs(match.similarity - nearest) < 1e-6 and abs(match.similarity - cosines[match.normal]) < 1e-6
        for match, (_, nearest) in zip(matches, expected, strict=False)
    )


def play(site: Site, corrupt: Callable[[], object], witness: Witness) -> list[str]:
    """Corrupt, query, rebuild, query again; return what failed."""
    corrupt()
    checks = verify(site.snapshots, site.snapshots.directory.parent, MODEL.model_id, MODEL.dimension)
    failures = [] if worst_kind(checks) == "snapshot" else ["verified as sound"]
    if not site.snapshots.is_due(MODEL.model_id, min_similarity=0.0):
        failures.append("not due")
    if not same_answers(site):
        failures.append("other answers")
    reads, warnings = witness.seen()
    failures += ["read by FAISS"] * (reads > 0) + ["not warned once"] * (warnings != 1)
    if site.publish() != site.golden:
        failures.append("rebuilt differently")
    if not same_answers(site) or witness.seen() != (1, 0):
        failures.append("not well again")
    return failures


@contextmanager
def without_checksum() -> Iterator[None]:
    """Hand any content of the file to FAISS, replaced by a function that refuses it, as FAISS itself might crash."""

    def refuse(reader: object) -> None:
        raise RuntimeError("not read in a control")

    def read(*_: object, keep: bool) -> NDArray[np.uint8]:
        return np.zeros(1, np.uint8)

    with (
        patch.object(snapshot, "check_file", read),
        patch.object(snapshot_file, "check_file", read),
        patch.object(faiss, "read_index", refuse),
    ):
        yield


def run(
    rounds: int, seed: int, directory: Path, *, texts: int = TEXTS, url: Callable[[], str | None] = lambda: None
) -> dict[str, Any]:
    """Play the rounds; return how many there were of each kind, and every failure with its round."""
    counts: Counter[str] = Counter()
    failures = []
    start = time.time()
    with sites(directory, texts, url) as found, watching() as witness:
        for number, (site, kind, corrupt) in enumerate(schedule(found, rounds, seed)):
            counts[kind] += 1
            failures += [{"round": number, "kind": kind, "failure": what} for what in play(site, corrupt, witness)]
        sizes = [len(site.golden) for site in found]
    failed = len({failure["round"] for failure in failures})
    result = {"rounds": counts.total(), "seed": seed, "file_bytes": sizes, "seconds": round(time.time() - start, 1)}
    return result | {"failed_rounds": failed, "kinds": dict(counts.most_common()), "failures": failures}


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--rounds", type=int, default=10_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--output", type=Path, help="JSON file for the outcome")
    options.add_argument("--control", action="store_true", help="remove the checksum: every round must fail")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="corrupt-") as name, without_checksum() if asked.control else nullcontext():
        outcome = run(asked.rounds, asked.seed, Path(name))
    failed = Counter(failure["kind"] for failure in outcome["failures"])
    for kind, count in outcome["kinds"].items():
        print(f"{kind:<26}{count:>8,} rounds{failed[kind]:>10,} failures")
    print(f"{outcome['rounds']:,} rounds, {outcome['failed_rounds']:,} failed, {outcome['seconds']:,} s")
    if asked.output:
        asked.output.write_text(json.dumps(outcome, indent=1) + "\n")
    sys.exit(outcome["failed_rounds"] != (outcome["rounds"] if asked.control else 0))


if __name__ == "__main__":
    main()
