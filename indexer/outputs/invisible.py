"""Characters that nobody sees, move the cursor or reorder a line: each output shows them in its own way."""

from __future__ import annotations

import re

INVISIBLE = (
    "\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff"
    "\U000e01f0-\U000e0fff"
)
"""What stands between the brackets of a regular expression: controls, marks of direction, tags and what else is
invisible; variation selectors belong to Japanese names, joiners to Persian ones and to emoji."""

_ANY = re.compile(f"[{INVISIBLE}]")


def marked(text: str) -> str:
    """Return ``text`` with each of these characters as its number, such as ``⟨U+202E⟩``."""
    return _ANY.sub(lambda found: f"⟨U+{ord(found.group()):04X}⟩", text)
