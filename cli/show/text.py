"""Text made safe for a terminal: characters that move the cursor or reorder a line are escaped."""

from __future__ import annotations

import json
import re

_UNSAFE = (
    "\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff"
    "\U000e01f0-\U000e0fff"
)
"""Controls, marks of direction, tags and what else is invisible; variation selectors belong to Japanese names."""
_ANY = re.compile(f"[{_UNSAFE}]")
# json.dumps has escaped C0 controls inside strings; those left are the line ends between tokens.
_BEYOND_C0 = re.compile(f"[{_UNSAFE[3:]}]")


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"


def visible(text: str) -> str:
    """Return ``text`` on one line: control, bidirectional and invisible characters escaped, line ends as ``␤``."""
    if text.isascii() and text.isprintable():
        return text
    return _ANY.sub(_escape, text.replace("\r\n", "\n").replace("\n", "␤"))


def visible_json(text: str) -> str:
    """Escape the same characters in JSON; it still decodes to the same value."""
    if text.isascii() and "\x7f" not in text:
        return text
    return _BEYOND_C0.sub(lambda match: json.dumps(match.group())[1:-1], text)
