"""How reasons are worded: quoted words, singular and plural, at most three words from each name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dedup.evidence.name_pairs import NamePair
from dedup.text.word_weights import WordModel

T = TypeVar("T")

MAX_WORDS = 3
"""Number of words of one name that a reason quotes; of more, the rarest."""

_MAX_QUOTE = 60
"""Number of characters of a name that a reason quotes."""


@dataclass(frozen=True, slots=True)
class ExplainedPair:
    """What labels are made from: two normal forms and their parsed names, in the order given, and the evidence."""

    texts: tuple[str, str]
    names: NamePair
    values: Mapping[str, float]
    word_model: WordModel

    @property
    def unpaired(self) -> tuple[Sequence[str], Sequence[str]]:
        """The words of each name that have no counterpart in the other."""
        return self.names.pairing.left_only, self.names.pairing.right_only

    def rarity(self, word: str) -> float:
        """Return the inverse document frequency of a word."""
        return self.word_model.idf.of(word)

    def contrasted(self, noun: str, sides: tuple[Sequence[str], Sequence[str]]) -> str:
        """Say that words differ (``words ‘mail’ and ‘bank’ differ``) or that only one name has them."""
        left, right = sides
        if not (left and right):
            return f"{self.named(noun, left or right)} in one name only"
        return f"{noun}s {quoted(left, self.rarity)} and {quoted(right, self.rarity)} differ"

    def named(self, noun: str, words: Sequence[str]) -> str:
        """Put a noun, in singular or plural, before quoted words (``numbers ‘2 4’``)."""
        return f"{plural(noun, len(words))} {quoted(words, self.rarity)}"


def plural(noun: str, count: int) -> str:
    """Return a noun with the ending for ``count``."""
    return noun if count == 1 else f"{noun}s"


def quoted(words: Iterable[str], weight: Callable[[str], float]) -> str:
    """Quote the words with the highest weights, and say how many are left out."""
    chosen, more = heaviest(tuple(words), weight)
    return quote(" ".join(chosen)) + more


def listed(words: Iterable[str], weight: Callable[[str], float]) -> str:
    """Quote each of the words with the highest weights, as a list (``‘iowa’ and ‘ohio’``)."""
    chosen, more = heaviest(tuple(words), weight)
    *others, last = map(quote, chosen)
    if more or not others:
        return ", ".join([*others, last]) + more
    return f"{', '.join(others)} and {last}"


def heaviest(items: Sequence[T], weight: Callable[[T], float | tuple[float, float]]) -> tuple[list[T], str]:
    """Return the three items with the highest weights, in their order, and a note on how many more there are."""
    best = sorted(range(len(items)), key=lambda i: weight(items[i]), reverse=True)[:MAX_WORDS]
    more = len(items) - len(best)
    return [items[i] for i in sorted(best)], f" (and {more} more)" if more else ""


def quote(text: str) -> str:
    """Put a text in quotation marks, shortened to 60 characters."""
    return f"‘{text if len(text) <= _MAX_QUOTE else text[: _MAX_QUOTE - 1] + '…'}’"
