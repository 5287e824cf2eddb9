"""Legal forms: found at either end of a name, and kept as evidence rather than deleted.

The table ``data/legal_forms.json`` maps each canonical form (``gmbh``) to its spellings, which are normal forms.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

from dedup.text.normalise import fold

_UNSPACED = (
    "有限责任公司",
    "有限責任公司",
    "股份有限公司",
    "有限公司",
    "株式会社",
    "有限会社",
    "合同会社",
    "주식회사",
)

_NEVER_IN_FRONT = frozenset({"co", "inc", "corp", "ltd", "pa", "pc", "as", "se", "sa", "sl", "ab", "lp", "ou"})
"""Canonical forms that, at the start of a name, are usually a word or initials of it (``AB Foods``)."""

_SPELLINGS_NEVER_IN_FRONT = frozenset({
    "ag", "ao", "bt", "bv", "eg", "ev", "kg", "kk", "lc", "llc", "nv", "oy", "plc", "rt", "sas", "spa", "ug", "zrt",
})  # fmt: skip
"""Spellings of which the same holds (``BT Group``, ``NV Energy``); other spellings of these forms can come first."""

_MIN_FOLDED_LENGTH = 3
"""Minimum length of the ASCII form of a spelling in another script, for it to be recognised (``ат`` is not ``at``)."""


@cache
def _spellings() -> tuple[dict[tuple[str, ...], str], dict[str, int], dict[str, int]]:
    """Map each spelling, as words, to its canonical form; and its last and first word to the longest length."""
    table: dict[str, list[str]] = json.loads(
        resources.files("dedup").joinpath("data/legal_forms.json").read_text(encoding="utf-8")
    )
    words = {
        tuple(form.split()): canonical
        for canonical, spellings in table.items()
        for spelling in spellings
        for form in (spelling, fold(spelling))
        if spelling.isascii() or form == spelling or len(form) >= _MIN_FOLDED_LENGTH
    }
    last: dict[str, int] = {}
    first: dict[str, int] = {}
    for spelling in words:
        last[spelling[-1]] = max(last.get(spelling[-1], 0), len(spelling))
        first[spelling[0]] = max(first.get(spelling[0], 0), len(spelling))
    return words, last, first


def _split_unspaced(words: list[str]) -> list[str]:
    """Split a legal form off words in scripts without spaces (``日立製作所株式会社``)."""
    result: list[str] = []
    for word in words:
        form = next((f for f in _UNSPACED if f in word and word != f), None) if not word.isascii() else None
        if form is None:
            result.append(word)
        elif word.startswith(form):
            result += [form, word.removeprefix(form)]
        elif word.endswith(form):
            result += [word.removesuffix(form), form]
        else:
            result.append(word)
    return result


def split_legal_forms(normal_form: str) -> tuple[list[str], tuple[str, ...]]:
    """Split a normal form into the words of its core and the canonical legal forms at its two ends.

    ``deutsche bank ag`` gives ``(['deutsche', 'bank'], ('ag',))``. The longest spelling wins. Any number of forms
    is removed from the end (``co ltd`` after ``mfg``), then one from the start (``uab``, ``ооо``). The core is
    never empty: a name that consists of legal forms only (``ag``) is its own core.
    """
    spellings, longest_at_end, longest_in_front = _spellings()
    words = normal_form.split()
    if not normal_form.isascii():
        words = _split_unspaced(words)
    forms: list[str] = []
    while len(words) > 1 and words[-1] in longest_at_end:
        for size in range(min(longest_at_end[words[-1]], len(words) - 1), 0, -1):
            canonical = spellings.get(tuple(words[-size:]))
            if canonical is not None:
                forms.insert(0, canonical)
                del words[-size:]
                break
        else:
            break
    if words[0] in longest_in_front:
        for size in range(min(longest_in_front[words[0]], len(words) - 1), 0, -1):
            canonical = spellings.get(tuple(words[:size]))
            written = " ".join(words[:size])
            if canonical is not None and canonical not in _NEVER_IN_FRONT and written not in _SPELLINGS_NEVER_IN_FRONT:
                forms.insert(0, canonical)
                del words[:size]
                break
    while len(words) > 1 and words[-1] == "&":
        del words[-1]
    return words, tuple(sorted(set(forms))) if len(forms) > 1 else tuple(forms)
