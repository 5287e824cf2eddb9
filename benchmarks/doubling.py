"""Measure what twice as many texts cost where texts are alike or long: processor seconds, as ratios of one run.

    python benchmarks/doubling.py [--kind KIND ...] [--size N]

Each kind of corpus is deduplicated with N and with 2 N texts (default: enough for some seconds), each in a process of
its own, and the seconds of an empty job are taken off. Exits with 1 if a bar is missed.
"""

import argparse
import random
import resource
import string
import subprocess
import sys
from collections.abc import Callable, Iterator

import results
from results import Result, result

LONGEST = 4_096
SEED = 1

Texts = Callable[[int, random.Random], Iterator[str]]


def word(rng: random.Random, shortest: int, longest: int) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=rng.randint(shortest, longest)))


def typos(n: int, rng: random.Random) -> Iterator[str]:
    """Yield misspellings of one name."""
    for _ in range(n):
        letters = list("northwestern manufacturing holdings")
        for _ in range(3):
            letters[rng.randrange(len(letters))] = rng.choice(string.ascii_lowercase)
        yield "".join(letters)


def groups(n: int, rng: random.Random) -> Iterator[str]:
    """Yield forty misspellings of each of many names."""
    for _ in range(n // 40):
        name = " ".join(word(rng, 6, 12) for _ in range(3))
        for _ in range(40):
            letters = list(name)
            for _ in range(2):
                letters[rng.randrange(len(letters))] = rng.choice(string.ascii_lowercase)
            yield "".join(letters)


def numbered(n: int, rng: random.Random) -> Iterator[str]:
    """Yield one name with a number."""
    yield from (f"Unknown {number}" for number in range(n))


def repeated(n: int, rng: random.Random) -> Iterator[str]:
    """Yield one word, repeated."""
    yield from ("acme " * rng.randint(1, LONGEST // 6) + word(rng, 0, 3) for _ in range(n))


def unrelated(n: int, rng: random.Random) -> Iterator[str]:
    """Yield long texts that have nothing in common."""
    yield from (" ".join(word(rng, 3, 9) for _ in range(700))[:LONGEST] for _ in range(n))


def edited(n: int, rng: random.Random) -> Iterator[str]:
    """Yield long texts, each with a few other words in it than the others."""
    base = [word(rng, 2, 2) for _ in range(LONGEST // 3)]
    for _ in range(n):
        words = base[:]
        for _ in range(20):
            words[rng.randrange(len(words))] = word(rng, 2, 2)
        yield " ".join(words)


def sixty(n: int, rng: random.Random) -> Iterator[str]:
    """Yield texts of sixty words, all of which are compared."""
    yield from (" ".join(word(rng, 4, 8) for _ in range(60)) for _ in range(n))


def several(n: int, rng: random.Random) -> Iterator[str]:
    """Yield texts of many names each."""
    yield from (" dba ".join(word(rng, 3, 8) for _ in range(rng.randint(2, 400)))[:LONGEST] for _ in range(n))


def han(n: int, rng: random.Random) -> Iterator[str]:
    """Yield long texts in Chinese characters."""
    yield from ("".join(chr(rng.randint(0x4E00, 0x9000)) for _ in range(LONGEST)) for _ in range(n))


KINDS: dict[str, tuple[Texts, int]] = {
    "typos": (typos, 1_000),
    "groups": (groups, 2_000),
    "numbered": (numbered, 4_000),
    "repeated": (repeated, 400),
    "unrelated": (unrelated, 250),
    "edited": (edited, 250),
    "sixty": (sixty, 500),
    "several": (several, 250),
    "han": (han, 100),
}
JOB = """
import sys
import neardup
texts = sys.stdin.read().split("\\n")
neardup.deduplicate(texts)
"""


def seconds(texts: list[str]) -> float:
    """Return the processor seconds of a job in a process of its own, those of its workers included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", JOB], input="\n".join(texts), text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measured(kinds: list[str], size: int | None) -> Iterator[Result]:
    """Yield the seconds of each kind, and what doubling costs."""
    empty = min(seconds(["one", "two"]) for _ in range(3))
    for kind in kinds:
        texts, usual = KINDS[kind]
        n = size or usual
        one, two = (seconds(list(texts(count, random.Random(SEED)))) - empty for count in (n, 2 * n))
        yield result(kind, f"{2 * n:,} texts, processor seconds", two)
        yield result("doubling", kind, two / one)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--size", type=int, metavar="N")
    asked = parser.parse_args()
    results.show(measured(asked.kind, asked.size))


if __name__ == "__main__":
    main()
