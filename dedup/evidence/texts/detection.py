"""Of which kind the texts of a list are: names of companies, names of persons, or other texts.

What tells them apart is how many rows have a legal form, a known given name or a number, and how long they are. The
limits lie between the lists of ``docs/notes/kinds.md``; what is between two kinds counts as names of companies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dedup.evidence.persons import person_names
from dedup.evidence.texts.text_words import read, stands_alone
from dedup.text.gazetteer import is_body
from dedup.text.legal_forms import split_legal_forms

SAMPLE = 300
"""Number of texts, evenly spaced, that are looked at."""

SMALLEST = 10
"""Number of texts from which detection holds: none of 1,416 lists of so many companies was taken for others."""

_LONGEST_READ = 400
"""Characters of a text that are looked at."""

_WITH_FORMS = 0.1
"""Share of names with a legal form, from which a list is one of companies."""

_NUMBERED_RECORDS = 0.8
"""Share of rows with a number, from which they are whole records in spite of some legal forms."""

_PERSONS = 0.2
"""Share of rows that are two to five words, one of them a known given name and none a number, body or legal form."""

_SHORTEST_NAME = 3
"""Letters of the shortest given name that counts: ``al`` is an article more often than it is Albert."""

_WORDS_OF_TEXT = 5.6
"""Mean number of words, from which rows are no names; two signs of a script without spaces count as one word."""

_WORDS_OF_DOCUMENTS = 15.0
"""The same for rows that are no names whatever they hold."""

_NUMBERED, _WORDS_WITH_NUMBERS = 0.5, 4.0
"""The same for rows of which this share has a number."""


class _Row(NamedTuple):
    has_form: bool
    is_person: bool
    has_number: bool
    words: float


def detect_kind(normal_forms: Sequence[str]) -> str:
    """Return the kind of texts that these most probably are, company where nothing is clear.

    Of fewer than ``SMALLEST`` texts this is a guess.
    """
    rows = [_look_at(normal[:_LONGEST_READ]) for normal in normal_forms[:: max(1, len(normal_forms) // SAMPLE)]]
    if not rows:
        return "company"
    forms, persons, numbers, words = (sum(column) / len(rows) for column in zip(*rows, strict=True))
    if words >= _WORDS_OF_DOCUMENTS:
        return "text"
    if forms >= _WITH_FORMS:
        return "text" if numbers >= _NUMBERED_RECORDS and words >= _WORDS_OF_TEXT else "company"
    if persons >= _PERSONS:
        return "person"
    is_long = words >= (_WORDS_WITH_NUMBERS if numbers >= _NUMBERED else _WORDS_OF_TEXT)
    return "text" if is_long else "company"


def _look_at(normal: str) -> _Row:
    words = read(normal).words
    signs = sum(map(stands_alone, words))
    name = person_names.read(normal).words
    has_form = bool(split_legal_forms(normal)[1])
    known = person_names.tables().spellings
    is_person = (
        not has_form
        and 2 <= len(name) <= 5
        and all(word.isalpha() and not is_body(word) for word in name)
        and any(len(word) >= _SHORTEST_NAME and word in known for word in name)
    )
    return _Row(has_form, is_person, any(map(str.isdigit, normal)), len(words) - signs / 2)
