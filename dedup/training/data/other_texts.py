"""Generated pairs of texts other than names: products, addresses, citations, bags of words.

An encoder trained on names alone gets worse at telling other texts apart. Each pair is two descriptions of the same
thing that share some of their words, as in shop listings, address lists and bibliographies. They are composed from
words of the training names and the lists below.
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
_COMPASS_POINTS = (("n", "north"), ("s", "south"), ("e", "east"), ("w", "west"))
_NUMBERED = ("1st", "2nd", "3rd", "5th", "21st", "47th", "63rd", "79th")
_STATES = (
    "al", "az", "ca", "co", "ct", "fl", "ga", "ia", "il", "in", "ks", "ky", "la", "ma", "md", "mi", "mn", "mo",
    "nc", "nj", "ny", "oh", "ok", "or", "pa", "sc", "tn", "tx", "va", "wa", "wi",
)  # fmt: skip
_VENUES = (
    ("proc", "proceedings"), ("intl conf", "international conference"), ("trans", "transactions"), ("j", "journal"),
    ("symp", "symposium"), ("workshop", "wkshp"),
)  # fmt: skip
_FUNCTION_WORDS = ("of", "for", "and", "in", "the", "with", "on", "a")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

Pair = tuple[str, str]


class OtherTexts:
    """Generates pairs of texts that describe the same thing, from names and single words."""

    def __init__(self, names: Sequence[str], words: Sequence[str], rng: random.Random) -> None:
        self._names, self._words, self._rng = names, words, rng
        self._kinds: tuple[Callable[[], Pair], ...] = (self._product, self._address, self._citation, self._bag_of_words)

    def pair(self) -> Pair:
        """Return two normal forms that describe the same thing; never empty, rarely equal."""
        return self._rng.choices(self._kinds, weights=(2, 2, 1, 1))[0]()

    def _chance(self, probability: float) -> bool:
        return self._rng.random() < probability

    def _kept(self, words: Sequence[str], share: float) -> list[str]:
        return [word for word in words if self._chance(share)]

    def _code(self) -> str:
        letters = "".join(self._rng.choices(_LETTERS, k=self._rng.randint(1, 4)))
        return f"{letters}{self._rng.randint(1, 9_999)}" + "".join(
            self._rng.choices(_LETTERS, k=self._rng.choice((0, 0, 1, 2)))
        )

    def _rewritten(self, code: str) -> list[str]:
        """Return a model number as another shop writes it: whole, in two parts, shortened, or not at all."""
        if self._chance(0.25):
            return []
        if len(code) > 4 and self._chance(0.3):
            code = code[:-1]
        cut = self._rng.randrange(1, len(code)) if self._chance(0.3) else 0
        return [part for part in (code[:cut], code[cut:]) if part]

    def _product(self) -> Pair:
        """Return brand, size, goods and model number; the second drops and adds words and rewrites the number."""
        rng = self._rng
        brand, goods, code = rng.choice(self._names).split()[0], rng.sample(_GOODS, rng.randint(2, 6)), self._code()
        size = [str(rng.randint(2, 99))] if self._chance(0.4) else []
        words = self._kept(goods, 0.65) + rng.sample(_GOODS, rng.choice((0, 1, 2, 3)))
        if self._chance(0.3):
            rng.shuffle(words)
        number = self._rewritten(code)
        parts = [number, words] if self._chance(0.5) else [words, number]
        second = [brand] * self._chance(0.9) + self._kept(size, 0.7) + parts[0] + parts[1]
        return " ".join([brand, *size, *goods, code]), " ".join(second or [brand])

    def _address(self) -> Pair:
        """Return a name with a street address, with or without the town."""
        rng = self._rng
        name = rng.choice(self._names).split() if self._chance(0.7) else []
        number, town, state = str(rng.randint(1, 9_999)), rng.choice(self._words), rng.choice(_STATES)
        direction = rng.choice(_COMPASS_POINTS) if self._chance(0.5) else None
        street = rng.choice(self._words) if self._chance(0.8) else rng.choice(_NUMBERED)
        kind, postcode = rng.choice(_STREETS), str(rng.randint(10_000, 99_999))

        def description() -> str:
            parts = name[:1] + self._kept(name[1:], 0.85) + [number]
            parts += [rng.choice(direction)] if direction and self._chance(0.85) else []
            parts += [street, rng.choice(kind)] if self._chance(0.9) else [street]
            if self._chance(0.5):
                parts += [town, *self._kept((state, postcode), 0.7)]
            return " ".join(parts)

        return description(), description()

    def _citation(self) -> Pair:
        """Return title, authors and venue, in either order, with first names or initials."""
        rng = self._rng
        title = [rng.choice(self._words) for _ in range(rng.randint(3, 9))]
        title = [part for word in title for part in (*self._kept((rng.choice(_FUNCTION_WORDS),), 0.3), word)]
        authors = [rng.sample(self._words, 2) for _ in range(rng.randint(0, 3))]
        venue, place, year = rng.choice(_VENUES), rng.choice(self._words), str(rng.randint(1970, 2024))

        def description() -> str:
            kept = (author for author in authors if self._chance(0.85))
            people = [(first[0] if self._chance(0.4) else first) + " " + last for first, last in kept]
            tail = self._kept((rng.choice(venue), place, year), 0.75)
            head = self._kept(title, 0.95) or title
            return " ".join([*head, *people, *tail] if self._chance(0.8) else [*people, *head, *tail])

        return description(), description()

    def _bag_of_words(self) -> Pair:
        """Return bags of words, most of which are on both sides, in any order."""
        rng = self._rng
        words = [rng.choice(self._words) for _ in range(rng.randint(3, 12))]

        def description() -> str:
            kept = self._kept(words, 0.7) + [rng.choice(self._words) for _ in range(rng.choice((0, 0, 1, 2)))]
            if self._chance(0.4):
                rng.shuffle(kept)
            return " ".join(kept or words)

        return description(), description()
