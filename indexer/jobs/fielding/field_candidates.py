"""Which pairs of items are compared by names and fields.

Those of texts that are near, those of one text, and those that share an id, a phone number or a domain that few hold.
Where two texts, or one, have very many items, only those that agree in a field are compared: names alone never join the
records of a name that so many hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.evidence.fields.field_kinds import FieldKind
from dedup.evidence.fields.field_table import Column, FieldTable
from dedup.runtime.arrays import ranges

Ints = NDArray[np.int64]

MOST_SHARED = 50
"""An id, phone number or domain that more items hold makes no candidates."""
MOST_OF_TEXTS = 2_500
"""Two texts, or one, that would make more pairs of items make those only that agree in a field."""
_MOST_AGREEING = 50
_FOLLOWING = 10
"""Of more items of one text that agree, each is paired with so many that follow it."""
_SHARED = (FieldKind.ID, FieldKind.PHONE, FieldKind.DOMAIN)
_FINE = (FieldKind.CITY, FieldKind.POSTCODE, FieldKind.STREET, *_SHARED, FieldKind.DATE)


class Items(NamedTuple):
    """Items: the position of each one's text, the first n of them the texts in order, and its row in a table."""

    text_of: Ints
    row_of: Ints
    n_texts: int


def pairs_of_texts(texts: Ints, items: Items, table: FieldTable) -> tuple[Ints, Ints]:
    """Return pairs of items for pairs of texts (p, 2), and the pair of texts of each, as its position."""
    by_text = np.argsort(items.text_of, kind="stable")
    sizes = np.bincount(items.text_of, minlength=items.n_texts)
    starts = np.cumsum(sizes) - sizes
    n_left, n_right = sizes[texts].T
    small = np.flatnonzero(n_left * n_right <= MOST_OF_TEXTS)
    left = by_text[ranges(starts[texts[small, 0]], n_left[small])]
    others = np.repeat(n_right[small], n_left[small])
    right = by_text[ranges(np.repeat(starts[texts[small, 1]], n_left[small]), others)]
    found, of = [np.column_stack([np.repeat(left, others), right])], [np.repeat(small, n_left[small] * n_right[small])]
    for at in np.flatnonzero(n_left * n_right > MOST_OF_TEXTS).tolist():
        one, other = (by_text[starts[text] : starts[text] + sizes[text]] for text in texts[at].tolist())
        found.append(_agreeing_across(one, other, items, table))
        of.append(np.full(len(found[-1]), at, np.int64))
    return np.concatenate(found), np.concatenate(of)


def pairs_within_texts(items: Items, table: FieldTable) -> Ints:
    """Return pairs of items of one text."""
    sizes = np.bincount(items.text_of, minlength=items.n_texts)
    members = np.flatnonzero(sizes[items.text_of] > 1)
    texts = items.text_of[members]
    is_small = sizes[texts] * (sizes[texts] - 1) // 2 <= MOST_OF_TEXTS
    found = [_in_groups(texts[is_small], members[is_small], MOST_OF_TEXTS, 0)]
    large, of_large = members[~is_small], texts[~is_small]
    for column in _columns(table, _FINE):
        codes = column.codes[items.row_of[large]].astype(np.int64)
        has = codes >= 0
        keys = of_large[has] * max(1, len(column.forms)) + codes[has]
        found.append(_in_groups(keys, large[has], _MOST_AGREEING, _FOLLOWING))
    return np.concatenate(found)


def sharing_pairs(items: Items, table: FieldTable) -> Ints:
    """Return pairs of items that share an id, a phone number or a domain, in the same or in another column."""
    found = [np.empty((0, 2), np.int64)]
    for kind in _SHARED:
        columns = list(_columns(table, (kind,)))
        groups = [[column] for column in columns] if kind is FieldKind.ID else [columns]
        for group in filter(None, groups):
            codes = [column.codes[items.row_of] for column in group]
            members = [np.flatnonzero(own >= 0) for own in codes]
            keys = [own[at].astype(np.int64) for own, at in zip(codes, members, strict=True)]
            if len(group) > 1:
                keys = [of_form[own] for of_form, own in zip(_positions(group), keys, strict=True)]
            found.append(_in_groups(np.concatenate(keys), np.concatenate(members), MOST_SHARED, 0))
    return np.concatenate(found)


def _positions(columns: Sequence[Column]) -> list[Ints]:
    """Return the position of each form of each column among those of all of them."""
    at: dict[str, int] = {}
    return [np.array([at.setdefault(form, len(at)) for form in one.forms.tolist()], np.int64) for one in columns]


def _columns(table: FieldTable, kinds: tuple[FieldKind, ...]) -> Iterator[Column]:
    return (column for column in table.columns if column.kind in kinds and len(column.forms))


def _in_groups(keys: Ints, members: Ints, most: int, following: int) -> Ints:
    """Return all pairs of members (m,) with one key; of more than ``most``, each with some that follow it."""
    order = np.lexsort((members, keys))
    keys, members = keys[order], members[order]
    sizes = np.diff(np.flatnonzero(np.diff(keys, prepend=-1, append=-1))) if len(keys) else np.empty(0, np.int64)
    ends, size = np.repeat(np.cumsum(sizes), sizes), np.repeat(sizes, sizes)
    places = np.arange(len(keys))
    after = ends - places - 1
    after = np.where(size > most, np.minimum(after, following), after)
    return np.column_stack([members[np.repeat(places, after)], members[ranges(places + 1, after)]])


def _agreeing_across(left: Ints, right: Ints, items: Items, table: FieldTable) -> Ints:
    """Return pairs of one of ``left`` and one of ``right`` that agree in a field."""
    found = [np.empty((0, 2), np.int64)]
    for column in _columns(table, _FINE):
        of_code: dict[int, list[int]] = {}
        for item, code in zip(right.tolist(), column.codes[items.row_of[right]].tolist(), strict=True):
            of_code.setdefault(code, []).append(item)
        of_code.pop(-1, None)
        pairs = [
            (item, other)
            for item, code in zip(left.tolist(), column.codes[items.row_of[left]].tolist(), strict=True)
            for other in of_code.get(code, ())[:_FOLLOWING]
        ]
        found.append(np.array(pairs, np.int64).reshape(-1, 2))
    return np.concatenate(found)
