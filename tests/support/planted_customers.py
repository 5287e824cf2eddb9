"""A made-up file of customers, with what a data steward knows about it: branches, copies and shared VAT numbers."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

WORDS = (
    "Adler", "Amsel", "Birke", "Brandt", "Buchner", "Cordes", "Dorn", "Eberle", "Engel", "Esche", "Falke", "Fichte",
    "Forster", "Gerlach", "Ginster", "Hartwig", "Hafner", "Heller", "Henning", "Kessler", "Klausner", "Kranich",
    "Lindner", "Lorenz", "Marder", "Moritz", "Neuner", "Odenwald", "Pfeiffer", "Quandt", "Rasmus", "Reiher",
    "Richter", "Rosner", "Sander", "Schober", "Seidel", "Sommer", "Sonntag", "Steiner", "Tannert", "Thaler", "Ulrich",
    "Vossberg", "Wagner", "Weidner", "Winkler", "Wittmann", "Zander", "Ziegler",
)  # fmt: skip
TRADES = (
    "Bau", "Druck", "Logistik", "Optik", "Verlag", "Reisen", "Mode", "Medien", "Technik", "Energie", "Holz", "Metall",
    "Elektro", "Sanitär", "Garten", "Foto", "Papier", "Textil", "Chemie", "Pharma", "Immobilien", "Transport",
    "Werkzeuge", "Möbel", "Getränke",
)  # fmt: skip
TOWNS = (
    "Ulm", "Bonn", "Kiel", "Trier", "Mainz", "Fulda", "Kassel", "Jena", "Halle", "Erfurt", "Rostock", "Lübeck",
    "Bremen", "Hagen", "Essen", "Aachen", "Gera", "Worms", "Speyer", "Passau", "Coburg", "Hof", "Bayreuth", "Bamberg",
    "Fürth", "Kempten", "Lindau", "Konstanz", "Singen", "Emden",
)  # fmt: skip
FORMS = ("GmbH", "AG", "KG", "GmbH & Co. KG", "OHG")
LONGER = {
    "GmbH": "Gesellschaft mbH", "AG": "Aktiengesellschaft", "KG": "Kommanditgesellschaft",
    "GmbH & Co. KG": "GmbH und Co KG", "OHG": "offene Handelsgesellschaft",
}  # fmt: skip


@dataclass
class Steward:
    """A file of customers: rows of number, name, city and VAT number, and pairs of numbers that are known.

    Attributes:
        rows: The customers.
        branches: Pairs of one name in two towns, which are different customers.
        copies: Pairs of one customer, entered twice with another spelling.
        one_number: Pairs of one customer under two names that have nothing in common but the VAT number.

    """

    rows: list[dict[str, str]] = field(default_factory=list)
    branches: list[tuple[str, str]] = field(default_factory=list)
    copies: list[tuple[str, str]] = field(default_factory=list)
    one_number: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, city: str, vat: str = "") -> str:
        """Add a customer and return its number."""
        number = str(len(self.rows) + 1)
        self.rows.append({"no": number, "name": name, "city": city, "vat": vat})
        return number


def german_vat(rng: random.Random) -> str:
    """Return a German VAT number with a right check digit (ISO 7064, mod 11, 10)."""
    digits = [rng.randint(1, 9), *(rng.randint(0, 9) for _ in range(7))]
    product = 10
    for digit in digits:
        total = (digit + product) % 10 or 10
        product = 2 * total % 11
    check = (11 - product) % 10
    return f"DE{''.join(map(str, digits))}{check}"


def planted(customers: int, seed: int = 21) -> Steward:
    """Return a file of so many customers; of each five, one has a branch, one is there twice, one under two names."""
    rng = random.Random(seed)
    names = [f"{word} {trade}" for word in WORDS for trade in TRADES]
    names += [f"{word} {other} {trade}" for word in WORDS for other in WORDS[::5] for trade in TRADES if word != other]
    chosen, found = iter(rng.sample(names, min(len(names), 2 * customers))), Steward()
    for number in range(customers):
        name, form, city, other = next(chosen), rng.choice(FORMS), *rng.sample(TOWNS, 2)
        full, kind = f"{name} {form}", number % 5
        if kind == 0:  # a branch, spelt alike or not
            first = found.add(full, city)
            found.branches.append((first, found.add(rng.choice((full, full.upper(), f"{name} {LONGER[form]}")), other)))
        elif kind == 1:
            first = found.add(full, city)
            found.copies.append((first, found.add(f"{name} {LONGER[form]}", city.upper())))
        elif kind == 2:
            vat = german_vat(rng)
            first = found.add(full, city, vat)
            written = f"{vat[:2]} {vat[2:5]} {vat[5:]}"
            found.one_number.append(
                (first, found.add(f"{next(chosen)} {rng.choice(FORMS)}", rng.choice((city, other)), written))
            )
        else:
            found.add(full, city, german_vat(rng) if number % 2 else "")
    rng.shuffle(found.rows)
    return found
