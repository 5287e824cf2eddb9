"""Refuse an input with too many bad rows: it is more likely to be read in a wrong way than to be that bad."""

from __future__ import annotations

from dedup.errors import InputRefused

MIN_ROWS_FOR_RATE = 100
"""The share of rejects is checked from this number of rows on."""


class RejectRate:
    """Counts the rows of an input and those rejected; more than ``most`` of at least 100 are too many."""

    def __init__(self, most: float) -> None:
        self.rows_in = self.rejected = 0
        self._most = most
        self._first_message = ""

    def reject(self, message: str) -> None:
        """Count a rejected row."""
        self.rejected += 1
        self._first_message = self._first_message or message

    def judge(self, rows: int) -> None:
        """Refuse the input if its rejects are too many for its first ``rows`` rows, not all of which may be read.

        Raises:
            InputRefused: they are.
        """
        if self.rows_in >= MIN_ROWS_FOR_RATE and self.rejected > self._most * rows:
            raise InputRefused(
                f"{self.rejected} of the first {self.rows_in} rows were rejected, a share above "
                f"{self._most:.3g}, so nothing was written. The first: {self._first_message} Correct the "
                "input, or allow more with --max-reject-rate, or max_reject_rate= in Python.",
                "E_TOO_MANY_REJECTS",
            )

    def finish(self) -> None:
        """Refuse the input if no row was accepted.

        Raises:
            InputRefused: none was.
        """
        if 0 < self.rows_in == self.rejected:
            rows = "The only row was" if self.rows_in == 1 else f"All {self.rows_in} rows were"
            raise InputRefused(
                f"{rows} rejected, so nothing was written. The first: {self._first_message} "
                "Check the text and id columns, the delimiter and the encoding.",
                "E_TOO_MANY_REJECTS",
            )
