"""Generated pairs of texts that are no names: products, addresses, citations, loose words.

A model that sees only names forgets how to tell other texts apart. These pairs keep it from that: two
descriptions of one thing that share some of their words, in the way of shop listings, address lists and
bibliographies. Everything in them is made up from words of the training names and the lists below.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

_GOODS = (
    "speaker", "black", "white", "silver", "lcd", "hdtv", "television", "camera", "digital", "lens", "charger",
    "battery", "cable", "adapter", "wireless", "headphones", "portable", "player", "recorder", "receiver", "system",
    "stereo", "home", "theater", "remote", "control", "mount", "kit", "case", "cover", "stand", "printer", "ink",
    "cartridge", "toner", "paper", "keyboard", "mouse", "monitor", "laptop", "notebook", "memory", "card", "reader",
    "drive", "disc", "dvd", "radio", "clock", "alarm", "phone", "cordless", "handset", "dock", "washer", "dryer",
    "refrigerator", "freezer", "microwave", "oven", "range", "dishwasher", "cooktop", "hood", "vacuum", "cleaner",
    "filter", "bag", "fan", "heater", "air", "conditioner", "purifier", "lamp", "light", "bulb", "switch", "router",
    "network", "hub", "antenna", "gps", "car", "audio", "subwoofer", "amplifier", "channel", "watt", "inch", "cu",
    "ft", "stainless", "steel", "red", "blue", "green", "bundle", "pack", "series", "edition", "software",
    "upgrade", "license", "full", "version", "game", "console", "controller",
)  # fmt: skip
_STREETS = (
    ("st", "street"), ("ave", "avenue"), ("rd", "road"), ("blvd", "boulevard"), ("dr", "drive"), ("ln", "lane"),
    ("ct", "court"), ("pl", "place"), ("hwy", "highway"), ("pkwy", "parkway"), ("ter", "terrace"), ("sq", "square"),
)  # fmt: skip
_WINDS = (("n", "north"), ("s", "south"), ("e", "east"), ("w", "west"))
_NUMBERED = ("1st", "2nd", "3rd", "5th", "21st", "47th", "63rd", "79th")
_STATES = (
    "al", "az", "ca", "co", "ct", "fl", "ga", "ia", "il", "in", "ks", "ky", "la", "ma", "md", "mi", "mn", "mo",
    "nc", "nj", "ny", "oh", "ok", "or", "pa", "sc", "tn", "tx", "va", "wa", "wi",
)  # fmt: skip
_VENUES = (
    ("proc", "proceedings"), ("intl conf", "international conference"), ("trans", "transactions"), ("j", "journal"),
    ("symp", "symposium"), ("workshop", "wkshp"),
)  # fmt: skip
_SMALL = ("of", "for", "and", "in", "the", "with", "on", "a")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

Pair = tuple[str, str]


class OtherTexts:
    """Draws pairs of texts that describe one thing, from names and single words."""

    def __init__(self, names: Sequence[str], words: Sequence[str], rng: random.Random) -> None:
        self._names, self._words, self._rng = names, words, rng
        self._kinds: tuple[Callable[[], Pair], ...] = (self._product, self._address, self._citation, self._loose)

    def pair(self) -> Pair:
        """Return two normal forms of one thing; never empty, rarely equal."""
        return self._rng.choices(self._kinds, weights=(2, 2, 1, 1))[0]()

    def _is(self, probability: float) -> bool:
        return self._rng.random() < probability

    def _kept(self, words: Sequence[str], share: float) -> list[str]:
        return [word for word in words if self._is(share)]

    def _code(self) -> str:
        letters = "".join(self._rng.choices(_LETTERS, k=self._rng.randint(1, 4)))
        return f"{letters}{self._rng.randint(1, 9_999)}" + "".join(
            self._rng.choices(_LETTERS, k=self._rng.choice((0, 0, 1, 2)))
        )

    def _rewritten(self, code: str) -> list[str]:
        """Return a model number as another shop writes it: whole, in two pieces, without its end, or not at all."""
        if self._is(0.25):
            return []
        if len(code) > 4 and self._is(0.3):
            code = code[:-1]
        cut = self._rng.randrange(1, len(code)) if self._is(0.3) else 0
        return [part for part in (code[:cut], code[cut:]) if part]

    def _product(self) -> Pair:
        """Brand, size, kind and model number; the second shop says less, or more, and writes the number its way."""
        rng = self._rng
        brand, goods, code = rng.choice(self._names).split()[0], rng.sample(_GOODS, rng.randint(2, 6)), self._code()
        size = [str(rng.randint(2, 99))] if self._is(0.4) else []
        told = self._kept(goods, 0.65) + rng.sample(_GOODS, rng.choice((0, 1, 2, 3)))
        if self._is(0.3):
            rng.shuffle(told)
        number = self._rewritten(code)
        parts = [number, told] if self._is(0.5) else [told, number]
        second = [brand] * self._is(0.9) + self._kept(size, 0.7) + parts[0] + parts[1]
        return " ".join([brand, *size, *goods, code]), " ".join(second or [brand])

    def _address(self) -> Pair:
        """Put a name before a street address, with or without the town."""
        rng = self._rng
        name = rng.choice(self._names).split() if self._is(0.7) else []
        number, town, state = str(rng.randint(1, 9_999)), rng.choice(self._words), rng.choice(_STATES)
        wind = rng.choice(_WINDS) if self._is(0.5) else None
        street = rng.choice(self._words) if self._is(0.8) else rng.choice(_NUMBERED)
        kind, postcode = rng.choice(_STREETS), str(rng.randint(10_000, 99_999))

        def one() -> str:
            parts = name[:1] + self._kept(name[1:], 0.85) + [number]
            parts += [rng.choice(wind)] if wind and self._is(0.85) else []
            parts += [street, rng.choice(kind)] if self._is(0.9) else [street]
            if self._is(0.5):
                parts += [town, *self._kept((state, postcode), 0.7)]
            return " ".join(parts)

        return one(), one()

    def _citation(self) -> Pair:
        """Give a title, its authors and where it appeared, in either order, with first names or initials."""
        rng = self._rng
        title = [rng.choice(self._words) for _ in range(rng.randint(3, 9))]
        title = [part for word in title for part in (*self._kept((rng.choice(_SMALL),), 0.3), word)]
        authors = [rng.sample(self._words, 2) for _ in range(rng.randint(0, 3))]
        venue, place, year = rng.choice(_VENUES), rng.choice(self._words), str(rng.randint(1970, 2024))

        def one() -> str:
            people = [(first[0] if self._is(0.4) else first) + " " + last for first, last in authors if self._is(0.85)]
            tail = self._kept((rng.choice(venue), place, year), 0.75)
            head = self._kept(title, 0.95) or title
            return " ".join([*head, *people, *tail] if self._is(0.8) else [*people, *head, *tail])

        return one(), one()

    def _loose(self) -> Pair:
        """Words of which most are on both sides, in any order."""
        rng = self._rng
        words = [rng.choice(self._words) for _ in range(rng.randint(3, 12))]

        def one() -> str:
            kept = self._kept(words, 0.7) + [rng.choice(self._words) for _ in range(rng.choice((0, 0, 1, 2)))]
            if self._is(0.4):
                rng.shuffle(kept)
            return " ".join(kept or words)

        return one(), one()
