"""Fields of the rows of ``nights.py``: columns come, go, move, and get other names and kinds; values are edited."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from planted_customers import german_vat

COLUMNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "city": (("city", "Ort", "town"), ("city", "category")),
    "zip": (("zip", "PLZ", "a=b", "zip:code"), ("postcode", "number", "category")),
    "country": (("country", "Land"), ("country",)),
    "vat": (("vat", "UStId", "tax no"), ("id", "category")),
    "phone": (("phone", "Telefon"), ("phone", "category")),
    "mail": (("mail", "web site"), ("domain",)),
    "since": (("since", "founded"), ("date", "category")),
    "staff": (("staff", "employees"), ("number",)),
    "former": (("former name", "aka"), ("company", "category")),
}
"""What a row may have: the names its column may have, and the kinds."""
ODD = ("", "", " ", "n/a", "-", "0", "000000", "x" * 300, "1e999", "\u202eab", "=1+1", "31.02.2020", "a,b\nc", "９８７")

Key = tuple[str, str]


@dataclass
class Schema:
    """The columns of a source in their order: what they hold, their names and kinds."""

    columns: list[tuple[str, str, str]] = field(default_factory=list)


class Fields:
    """The values of all rows, and the columns of both sources."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._values: dict[Key, dict[str, str]] = {}
        self._common = {what: [self._fresh(what) for _ in range(3)] for what in COLUMNS}
        self.schemas = {source: self._schema() for source in ("crm", "leads")}
        self.done: Counter[str] = Counter()

    def night(self, keys: list[Key]) -> None:
        """Edit some values; on some nights the columns change."""
        chance = self._chance
        for _ in range(chance.choice((0, 0, 1, 3, len(keys) // 4))):
            values = self.values(chance.choice(keys))
            what = chance.choice(list(COLUMNS))
            values[what] = self._value(what)
            self.done["values edited"] += 1
        if chance.random() < 0.1:
            what = chance.choice(list(COLUMNS))
            for key in keys:
                self.values(key)[what] = ""
            self.done["columns emptied"] += 1
        if chance.random() < 0.1:
            what, shared = chance.choice(list(COLUMNS)), self._fresh(chance.choice(list(COLUMNS)))
            for key in chance.sample(keys, min(len(keys), chance.randrange(2, 60))):
                self.values(key)[what] = shared
            self.done["values shared"] += 1
        if chance.random() < 0.25:
            self._change(self.schemas[chance.choice(("crm", "leads"))])

    def values(self, key: Key) -> dict[str, str]:
        """Return the values of a row, which are made at its first sight."""
        if key not in self._values:
            self._values[key] = {what: self._value(what) for what in COLUMNS}
        return self._values[key]

    def row(self, key: Key) -> dict[str, str]:
        """Return the cells of a row by the names of its columns."""
        return {name: self.values(key)[what] for what, name, _ in self.schemas[key[0]].columns}

    def kinds(self, source: str) -> dict[str, str]:
        """Return the kinds of the columns of a source."""
        return {name: kind for _, name, kind in self.schemas[source].columns}

    def _schema(self) -> Schema:
        chosen = self._chance.sample(list(COLUMNS), self._chance.randrange(len(COLUMNS)))
        return Schema([self._column(what) for what in chosen])

    def _column(self, what: str) -> tuple[str, str, str]:
        names, kinds = COLUMNS[what]
        return what, self._chance.choice(names), self._chance.choice((kinds[0], kinds[0], *kinds))

    def _change(self, schema: Schema) -> None:
        chance, columns = self._chance, schema.columns
        how = chance.choice(("added", "left out", "changed", "moved", "all gone"))
        missing = [what for what in COLUMNS if what not in [one for one, _, _ in columns]]
        if how == "added" and missing:
            columns.insert(chance.randrange(len(columns) + 1), self._column(chance.choice(missing)))
        elif how == "left out" and columns:
            columns.pop(chance.randrange(len(columns)))
        elif how == "changed" and columns:
            at = chance.randrange(len(columns))
            columns[at] = self._column(columns[at][0])
        elif how == "moved":
            chance.shuffle(columns)
        elif how == "all gone" and chance.random() < 0.3:
            columns.clear()
        self.done[f"columns {how}"] += 1

    def _value(self, what: str) -> str:
        chance = self._chance.random()
        if chance < 0.1:
            return self._chance.choice(ODD)
        return self._chance.choice(self._common[what]) if chance < 0.6 else self._fresh(what)

    def _fresh(self, what: str) -> str:
        chance = self._chance
        if what == "vat":
            return german_vat(chance) if chance.random() < 0.7 else f"K-{chance.randrange(400)}"
        if what == "mail":
            return chance.choice(("info@a{}.de", "https://www.a{}.co.uk/x", "b{}@gmail.com")).format(
                chance.randrange(50)
            )
        if what == "phone":
            return chance.choice(("+49 731 {}", "0731 {}", "0049731{}")).format(chance.randrange(10**6, 10**7))
        if what == "since":
            year, month, day = chance.randrange(1990, 2020), chance.randrange(1, 13), chance.randrange(1, 29)
            return chance.choice(("{}-{:02}-{:02}", "{2}.{1}.{0}", "{1}/{2}/{0}")).format(year, month, day)
        if what == "zip":
            return chance.choice(("{:05}", "{}", "D-{:05}")).format(chance.randrange(1_000, 99_999))
        if what == "staff":
            return chance.choice(("{}", "{}.0", "1.{:03}", "{},5")).format(chance.randrange(1_000))
        words = {"city": "Ulm Bonn Köln Cologne Kiel", "country": "DE Germany France US"}.get(
            what, "apex nova terra coral"
        )
        return chance.choice(words.split()) + (f" {chance.randrange(30)}" if what == "former" else "")
