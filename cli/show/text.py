"""Text made safe for a terminal: characters that move the cursor or reorder a line are escaped."""

from __future__ import annotations

import re

_UNSAFE = "\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff"
_ANY = re.compile(f"[{_UNSAFE}]")
# json.dumps has escaped C0 controls inside strings; those left are the line ends between tokens.
_BEYOND_C0 = re.compile(f"[{_UNSAFE[3:]}]")


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"


def visible(text: str) -> str:
    """Return ``text`` on one line: control, bidirectional and invisible characters escaped, line ends as ``␤``."""
    if text.isascii() and text.isprintable():
        return text
    return _ANY.sub(_escape, text.replace("\r\n", "\n").replace("\n", "␤"))


def visible_json(text: str) -> str:
    """Escape the same characters in JSON; it still decodes to the same value."""
    return text if text.isascii() else _BEYOND_C0.sub(_escape, text)
