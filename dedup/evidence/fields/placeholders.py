"""Texts that stand where there is no name or no other value, such as ``(null)`` and ``#REF!``."""

from __future__ import annotations

import re

MAX_CHARACTERS = 24
"""No placeholder is longer."""

_WORDS = frozenset((
    *("null", "na", "n/a", "n.a", "none", "nan", "nil", "unknown", "not available", "not applicable", "blank", "0"),
    *("no name", "noname", "no data", "undefined", "missing", "empty", "tbc", "tbd", "tba", "test", "xx", "xxx"),
    *("not provided", "not specified", "unspecified", "unnamed", "unbekannt", "nicht bekannt", "keine angabe", "k.a"),
    *("inconnu", "non renseigné", "desconocido", "desconhecido", "sin nombre", "s/n", "sconosciuto", "brak"),
    *("nieznany", "н/д", "нет данных", "неизвестно", "不明", "不详", "未知", "無", "无", "なし"),
))  # fmt: skip
_CERTAIN = frozenset({"null", "n/a", "n.a", "nan", "н/д"})
_MARKS = re.compile(r"\\n|#(n/a|na|ref!|name\?|value!|div/0!|null!|num!|spill!|calc!|field!|getting_data)")
_BRACKETED = re.compile(r"[<(\[{]+\s*([^<>()\[\]{}]+?)\s*[>)\]}]+|(?:__+|--+)([^_-].*?)(?:__+|--+)")


def is_placeholder(text: str) -> bool:
    """Whether ``text`` certainly stands for no name: a mark of a program, or a word for it in brackets."""
    if len(text) > MAX_CHARACTERS:
        return False
    text = text.strip().casefold()
    bracketed = _BRACKETED.fullmatch(text)
    word = (bracketed[1] or bracketed[2]).strip() if bracketed else ""
    return text.rstrip(".") in _CERTAIN or word in _WORDS or _MARKS.fullmatch(text) is not None


def may_be_placeholder(text: str) -> bool:
    """Whether ``text`` is a word for no name, which may also be a name, such as ``Unknown``."""
    return len(text) <= MAX_CHARACTERS and text.strip().casefold().rstrip(".") in _WORDS
