"""Names by sound: Chinese characters and kana in Latin letters, for comparison with names in another script.

Chinese characters are read in pinyin or in Japanese. The Japanese readings in ``data/kanji_readings.json`` are
those of characters, and of words that are not read character by character. They were counted in 19,000 names of
Japan Post and EDINET, each written in characters and in kana, after the two were aligned by
expectation-maximisation (Jiampojamarn, Kondrak and Sherif, "Applying many-to-many alignments and hidden Markov
models to letter-to-phoneme conversion", NAACL 2007).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib import resources

from rapidfuzz import fuzz

from dedup.text import han
from dedup.text.names import AS_WRITTEN, Parts, Reading, take_apart
from dedup.text.normalise import fold

_HIRAGANA = {code: chr(code + 0x60) for code in range(0x3041, 0x3097)}  # to katakana
_SMALL_VOWELS = {"ァ": "a", "ィ": "i", "ゥ": "u", "ェ": "e", "ォ": "o"}
_SMALL_SYLLABLES = {"ャ": "a", "ュ": "u", "ョ": "o"}
_SMALL_KANA = re.compile("[ァィゥェォッャュョ]")
_TO_SMALL = str.maketrans("ヤユヨ", "ャュョ")
_MEANT_SMALL = re.compile("(?<=[キギシジチヂニヒビピミリ])[ヤユヨ]")
_MEANT_DOUBLED = re.compile("(?<=.)ツ(?=[カキクケコサシスセソタチツテトパピプペポ])")


@cache
def _readings() -> Mapping[str, str]:
    data = json.loads(resources.files("dedup").joinpath("data/kanji_readings.json").read_text(encoding="utf-8"))
    return {word: reading for reading, words in data.items() for word in words.split()}


def romaji(kana: str) -> str:
    """Return kana in Latin letters, by the Hepburn system, with double consonants and without vowel marks.

    Where kana are all large, as in old registers (``シンジユク``), those usually written small count as small.
    """
    kana = kana.translate(_HIRAGANA)
    if not _SMALL_KANA.search(kana):
        kana = _MEANT_SMALL.sub(lambda match: match.group().translate(_TO_SMALL), kana)
        kana = _MEANT_DOUBLED.sub("ッ", kana)
    result, is_doubled = "", False
    for char in kana.replace("ー", ""):
        if char == "ッ":
            is_doubled = True
        elif char in _SMALL_SYLLABLES and result.endswith("i"):
            is_palatal = result.endswith(("shi", "chi", "ji"))
            result = result[:-1] + ("" if is_palatal else "y") + _SMALL_SYLLABLES[char]
        elif char in _SMALL_VOWELS and len(result) > 1:
            result = result[:-1] + _SMALL_VOWELS[char]
        else:
            letters = fold(char)
            if is_doubled:
                letters = ("t" if letters.startswith("ch") else letters[0]) + letters
                is_doubled = False
            result += letters
    return result or fold(kana)


@lru_cache(maxsize=1 << 14)
def _in_japanese(word: str) -> tuple[str, ...]:
    readings = _readings()
    result: list[str] = []
    for run, script in han.runs(word):
        if script == "kana":
            result.append(romaji(run))
        elif script == "other":
            result.append(fold(run))
        else:
            result += [
                readings.get(piece) or "".join([readings.get(char) or fold(char) for char in piece])
                for piece in han.split(run, as_written=True)
            ]
    return tuple(result)


def _separate_in_japanese(words: Sequence[str]) -> list[str]:
    return [piece for word in words for piece in ((word,) if word.isascii() else _in_japanese(word))]


def _separate_in_pinyin(words: Sequence[str]) -> list[str]:
    return [fold(word) for word in han.separate(words)]


PINYIN = Reading(_separate_in_pinyin, fold)
JAPANESE = Reading(_separate_in_japanese, lambda name: " ".join(_separate_in_japanese(name.split(" "))))


def by_sound(normal_form: str, other: Parts) -> Parts:
    """Parse a name with its Chinese characters and kana in Latin letters, so that it sounds most like ``other``."""
    written = take_apart(normal_form)
    if written.has_kana:
        readings = (JAPANESE,) if written.has_han else (JAPANESE, AS_WRITTEN)  # as written: every sign by itself
    elif written.has_han:
        readings = (PINYIN, JAPANESE)
    else:
        return written
    options = [take_apart(normal_form, reading=reading) for reading in readings]
    return max(options, key=lambda parts: fuzz.ratio(parts.whole.core, other.whole.core))
