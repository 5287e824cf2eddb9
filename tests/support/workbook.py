"""Read a workbook as its XML has it: the cells of each sheet with their types."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
Cell = tuple[str, str]
"""The type (``inlineStr``, ``n``, ``b``) and the text of a cell."""


def sheets(path: str | Path) -> dict[str, list[list[Cell | None]]]:
    """Return the rows of each sheet; None for a blank cell. A formula is an error."""
    with zipfile.ZipFile(path) as file:
        book = ElementTree.fromstring(file.read("xl/workbook.xml"))
        names = [sheet.attrib["name"] for sheet in book.iter(f"{_MAIN}sheet")]
        return {name: _rows(file.read(f"xl/worksheets/sheet{at}.xml")) for at, name in enumerate(names, 1)}


def rows(path: str | Path) -> list[list[str]]:
    """Return the texts of the first sheet."""
    return [["" if cell is None else cell[1] for cell in row] for row in next(iter(sheets(path).values()))]


def _rows(xml: bytes) -> list[list[Cell | None]]:
    found: list[list[Cell | None]] = []
    for row in ElementTree.fromstring(xml).iter(f"{_MAIN}row"):
        cells: list[Cell | None] = []
        for cell in row.iter(f"{_MAIN}c"):
            assert cell.find(f"{_MAIN}f") is None, "a formula"
            letters = re.sub("[0-9]", "", cell.attrib["r"])
            place = 0
            for letter in letters:
                place = place * 26 + ord(letter) - 64
            cells += [None] * (place - 1 - len(cells))
            text = "".join(part.text or "" for part in cell.iter() if part.tag in (f"{_MAIN}t", f"{_MAIN}v"))
            text = re.sub("_x([0-9A-F]{4})_", lambda match: chr(int(match[1], 16)), text)
            cells.append((cell.attrib.get("t", "n"), text))
        found.append(cells)
    width = max(map(len, found), default=0)
    return [row + [None] * (width - len(row)) for row in found]
