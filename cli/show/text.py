"""Text made safe to look at: what could move the cursor or reorder a line is written as an escape."""

from __future__ import annotations

import re

_UNSAFE = "\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff"
_ANY = re.compile(f"[{_UNSAFE}]")
# JSON escapes the C0 controls by itself, and the line ends between its tokens are to stay.
_BEYOND_C0 = re.compile(f"[{_UNSAFE[3:]}]")


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"


def visible(text: str) -> str:
    """Return ``text`` on one line, with control, bidirectional and invisible characters as JSON escapes.

    A line end is shown as ``␤``.
    """
    if text.isascii() and text.isprintable():
        return text
    return _ANY.sub(_escape, text.replace("\r\n", "\n").replace("\n", "␤"))


def visible_json(text: str) -> str:
    """Escape the same characters in a JSON text, which stays equal to what it was."""
    return text if text.isascii() else _BEYOND_C0.sub(_escape, text)
