"""Text made safe for a terminal: characters that move the cursor or reorder a line are escaped."""

from __future__ import annotations

import json
import re

from indexer.outputs.invisible import INVISIBLE

_ANY = re.compile(f"[{INVISIBLE}]")
# json.dumps has escaped C0 controls inside strings; those left are the line ends between tokens.
_BEYOND_C0 = re.compile(f"[{INVISIBLE[3:]}]")


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
