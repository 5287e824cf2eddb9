"""What the benchmarks must reach, all bars in one place, and how a script shows what it measured beside them.

The other bars of accuracy, some of them set by what rivals reach, stand in ``accuracy_tables.py``.
"""

from __future__ import annotations

import json
import operator
import os
import platform
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn, TextIO

# run.py, accuracy.py
F1_H1B = ">= 0.955"
F1_NBER = ">= 0.920"
# run.py: no more than 0.002 below what they were before anything was made fast
F1_H1B_HELD = ">= 0.946"
F1_NBER_HELD = ">= 0.879"
# run.py
JOB_MINUTES = "<= 20"
JOB_PEAK_GB = "<= 1.5"
BYTES_A_RECORD = "<= 400"  # beyond its text
COLD_QUERY_SECONDS = "<= 0.8"
HELP_SECONDS = "< 0.3"
# latency.py
QUERY_P50_MS = "<= 3"
QUERY_P99_MS = "<= 10"
QUERIES_A_SECOND = ">= 2000"
# search.py
SEARCHED_A_SECOND = ">= 15000"
RECALL_LOST = "<= 0.01"
# floors.py
ENCODING_SHARE = ">= 0.5"  # of the rate of SGEMM
ENCODED_A_SECOND = ">= 20000"
# peers.py
SHARE_OF_STRING_GROUPER = "<= 0.25"
PLANTED_RECALL = ">= 0.8"
PLANTED_PRECISION = ">= 0.9"
# curve.py
STEEPEST = "<= 1.15"
TEN_MILLION_MINUTES = "<= 90"
TEN_MILLION_PEAK_GB = "<= 8"

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "<": operator.lt,
    ">": operator.gt,
}


@dataclass(frozen=True, slots=True)
class Result:
    """One line of what was measured; ``bar`` is what the value must reach, if anything, as in "< 1.5"."""

    bench: str
    measure: str
    value: float
    bar: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether the value reaches the bar; None without a bar."""
        if not self.bar:
            return None
        comparison, limit = self.bar.split()
        return _COMPARISONS[comparison](self.value, float(limit))


def line(result: Result) -> str:
    """Return a result as a line of a table."""
    verdict = {None: "", True: "reached", False: "MISSED"}[result.passed]
    value = f"{result.value:,.0f}" if abs(result.value) >= 1000 else f"{result.value:.4g}"
    return f"{result.bench:<26} {result.measure:<38} {value:>12}  {result.bar:<9} {verdict}".rstrip()


def show(results: Iterable[Result], output: Path | None = None, *, to: TextIO | None = None) -> NoReturn:
    """Print each result as it comes, write all to a JSON file if there is to be one, and exit: 1 if a bar is missed."""
    shown = []
    print(f"{'bench':<26} {'measure':<38} {'value':>12}  bar", file=to)
    for result in results:
        shown.append(result)
        print(line(result), file=to, flush=True)
    if output:
        machine = {"python": platform.python_version(), "system": platform.platform(), "cpus": os.cpu_count()}
        rows = [asdict(result) | {"passed": result.passed} for result in shown]
        text = json.dumps({"machine": machine, "results": rows}, indent=2)
        output.write_text(text + "\n", encoding="utf-8")
    sys.exit(any(result.passed is False for result in shown))
