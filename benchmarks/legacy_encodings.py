"""Tell the encoding of lists of names written in the legacy encodings of their countries.

    python benchmarks/legacy_encodings.py --data DATA --files 400

Each file holds 30 to 3,000 lines of one country's list in ``DATA/world``, in an encoding that was in use there. A guess
is right if it decodes the file to the names that were written, unsure if not and it is none or its confidence is under
0.9, and wrong otherwise. One JSON line of shares is printed; ``--each`` adds a line for every file that was not right.
"""

import argparse
import json
import math
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dedup.training.data.sources import read_rows
from indexer.reading.encodings import MIN_CONFIDENCE
from indexer.reading.guessing.detector import guess

WESTERN = ("cp1252", "iso8859-1", "iso8859-15", "cp850", "cp437", "mac_roman")
CENTRAL = ("cp1250", "iso8859-2", "cp852", "mac_latin2")
CYRILLIC = ("cp1251", "koi8-r", "cp866", "iso8859-5", "mac_cyrillic")
CHINESE = ("gb18030", "gbk")
ENCODINGS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("at", "br", "ca", "ch", "cl", "co", "de", "dk", "es", "fi", "fr", "it", "no", "pt"), WESTERN),
    **dict.fromkeys(("cz", "hr", "pl", "ro", "si", "sk"), CENTRAL),
    **dict.fromkeys(("by", "ru"), CYRILLIC),
    "bg": ("cp1251", "iso8859-5", "cp866"),
    "cn": CHINESE,
    "ee": ("cp1257", "iso8859-13", "cp775"),
    "gr": ("cp1253", "iso8859-7", "cp737"),
    "hk": ("big5hkscs", "big5"),
    "il": ("cp1255", "iso8859-8"),
    "ir": ("cp1256",),
    "is": ("cp1252", "cp861"),
    "jp": ("shift_jis", "cp932", "euc_jp"),
    "kr": ("euc_kr", "cp949"),
    "lt": ("cp1257", "iso8859-13", "cp775"),
    "lv": ("cp1257", "iso8859-13", "cp775"),
    "mk": ("cp1251", "iso8859-5"),
    "sa": ("cp1256", "iso8859-6"),
    "th": ("cp874", "tis-620"),
    "tr": ("cp1254", "iso8859-9", "cp857"),
    "tw": ("big5", "cp950"),
    "ua": ("cp1251", "koi8-u", "mac_cyrillic"),
    "vn": ("cp1258",),
}
"""The encodings in use by country; countries without a list are left out."""
LINES = (30, 3_000)
MIN_MARKED = 5  # lines with a letter outside of ASCII


@dataclass(frozen=True, slots=True)
class File:
    """A list of names in a legacy encoding."""

    country: str
    encoding: str
    data: bytes


def names_of(world: Path, country: str) -> list[str]:
    """Return the names of one country's lists, empty if it has none."""
    files = [world / f"{kind}_{country}.csv.gz" for kind in ("names", "aliases")]
    return list(dict.fromkeys(row["name"] for file in files if file.exists() for row in read_rows(file)))


def encodable(names: list[str], encoding: str) -> list[str]:
    """Return the names that ``encoding`` can write."""

    def fits(name: str) -> bool:
        try:
            return name.encode(encoding).decode(encoding) == name
        except UnicodeError:
            return False

    return list(filter(fits, names))


def make_file(rng: random.Random, country: str, encoding: str, names: list[str]) -> File | None:
    """Write a random part of the names; None if too few of them have a letter outside of ASCII."""
    usable = encodable(names, encoding)
    lines = round(math.exp(rng.uniform(*map(math.log, LINES))))
    chosen = rng.sample(usable, min(lines, len(usable)))
    if len(chosen) < LINES[0] or sum(not name.isascii() for name in chosen) < MIN_MARKED:
        return None
    text = "id;name\n" + "".join(f"{number};{name}\n" for number, name in enumerate(chosen, 1))
    return File(country, encoding, text.encode(encoding))


def make_files(world: Path, count: int, seed: int) -> Iterator[File]:
    """Yield ``count`` files over all countries and encodings that have names."""
    rng = random.Random(seed)
    lists = {country: names_of(world, country) for country in ENCODINGS}
    kinds = [(country, encoding) for country in ENCODINGS for encoding in ENCODINGS[country]]
    made = 0
    while made < count:
        before = made
        rng.shuffle(kinds)
        for country, encoding in kinds:
            file = make_file(rng, country, encoding, lists[country])
            if file is not None and made < count:
                made += 1
                yield file
        if made == before:
            raise SystemExit(f"{world} has no list of names that the encodings can write.")


def judge(file: File) -> tuple[str, str]:
    """Return ``right``, ``unsure`` or ``wrong``, and what was guessed."""
    found = guess(file.data)
    if found is None:
        return "unsure", "none"
    said = f"{found.encoding} ({found.confidence:.2f})"
    try:
        if file.data.decode(found.encoding) == file.data.decode(file.encoding):
            return "right", said
    except UnicodeError:
        pass
    return ("wrong" if found.confidence >= MIN_CONFIDENCE else "unsure"), said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", action="store_true", help="print the files that were not right")
    arguments = parser.parse_args()
    started, counts = time.perf_counter(), Counter[str]()
    for file in make_files(arguments.data / "world", arguments.files, arguments.seed):
        verdict, said = judge(file)
        counts[verdict] += 1
        if arguments.each and verdict != "right":
            lines = file.data.count(b"\n")
            print(f"{verdict}: {file.country} {file.encoding}, {lines} lines, guessed {said}")
    shares = {verdict: round(counts[verdict] / arguments.files, 4) for verdict in ("right", "unsure", "wrong")}
    print(json.dumps({"files": arguments.files, **shares, "seconds": round(time.perf_counter() - started, 1)}))


if __name__ == "__main__":
    main()
