"""Rows of customers with towns, VAT numbers and phone numbers."""

from __future__ import annotations

from typing import Any

FIELDS = {"city": "city", "vat": "id", "phone": "phone"}
TOWNS = ("Ulm", "Bonn", "Kiel", "Trier", "Mainz", "Fulda")
VATS = ("DE136695976", "DE129273398", "DE811907980", "DE143593636")
NAMES = [f"{word} {trade} GmbH" for word in ("Kessler", "Brandt", "Odenwald", "Vossberg") for trade in ("Bau", "Druck")]


def row(id_: object, name: str, city: str = "", vat: str = "", phone: str = "") -> dict[str, Any]:
    return {"no": str(id_), "name": name, "city": city, "vat": vat, "phone": phone}


def town_rows() -> list[dict[str, Any]]:
    """Names with branches in two towns, each of which is entered twice."""
    return [
        row(f"{number}-{town}-{copy}", name if copy == 1 else name.replace("GmbH", "Gesellschaft mbH"), town)
        for number, name in enumerate(NAMES)
        for town in (TOWNS[number % 6], TOWNS[(number + 1) % 6])
        for copy in (1, 2)
    ]
