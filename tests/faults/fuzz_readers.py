"""Feed damaged inputs to the readers and to the job that stores them: each is refused, or every row accounted for.

    python tests/faults/fuzz_readers.py --count 200000

Each input is a seed of some format, mutated, perhaps compressed, perhaps mutated once more, and read with random
options; every third is then indexed into a workspace in the same way. Input number ``n`` depends only on ``--seed`` and
``n``, so ``--start n --count 1`` repeats it. One JSON line of totals is printed; the exit code is 1 if an input failed.
A failure is:

- an exception other than ``InputRefused``;
- a count that does not add up: rows given = rows counted, numbered 1, 2, 3 …, lines in order;
- a row that is not in the input at the byte offset it names (where the input is plain UTF-8);
- a text that no database accepts: a NUL character or half of a surrogate pair;
- a job that ends in another way than the reader, or whose accounts and stored records are not the rows that were read;
- more than ``SECONDS``, or ``MEMORY_MIB`` more than any earlier input needed.

Parquet is read in a child process as always, but one that is forked instead of started anew.
"""

import argparse
import io
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "support"))

from doubles import fake_model
from reader_inputs import Case, case_of, costly_inputs, parquet_seeds

from dedup.errors import InputRefused
from indexer.jobs.index import index_input
from indexer.reading import lines
from indexer.reading.formats import dialect, jsonl, parquet, parquet_worker
from indexer.reading.inputs import inputs_of_files
from indexer.reading.open import Row, open_table
from indexer.reading.rejects import RejectsStream
from indexer.store.workspace import Workspace

SECONDS = 20
MEMORY_MIB = 256
JOB_ROWS = 2_000
"""Inputs of more rows are only read: the job would take most of the time."""
JOB_EVERY = 3
"""Every third input is indexed too."""
JOBS_IN_A_WORKSPACE = 200
MODEL = fake_model()


class Hang(BaseException):
    """An input took too long."""


@dataclass
class Totals:
    """What a run saw."""

    kinds: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    jobs: int = 0
    refused_jobs: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, int] = (0.0, -1)
    failures: list[dict[str, Any]] = field(default_factory=list)


class Forked:
    """A forked child that reads a Parquet file, in place of the ``Popen`` of one that is started anew."""

    def __init__(self, file: int) -> None:
        reading, writing = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                parquet_worker.confine()
                with os.fdopen(file, "rb") as given, os.fdopen(writing, "wb") as output:
                    parquet_worker.serve(given, output)
                os._exit(0)
            finally:
                os._exit(1)
        os.close(writing)
        self.stdout = os.fdopen(reading, "rb")
        self._code: int | None = None

    def kill(self) -> None:
        if self._code is None:
            os.kill(self._pid, signal.SIGKILL)

    def wait(self) -> int:
        """Return how it ended: a code, or minus a signal."""
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self._code


def check(case: Case, path: Path, totals: Totals) -> int | None:
    """Read one input and return the number of its rows, None if it is refused.

    Raises ``AssertionError`` if an account does not add up.
    """
    path.write_bytes(case.data)
    given = line = 0
    try:
        with open_table(path, case.options) as table:
            for item in table:
                given += 1
                assert item.record_no == given, f"record {item.record_no} in place {given}"
                assert item.line > line, f"line {item.line} after line {line}"
                line = item.line
                if isinstance(item, Row):
                    totals.rows += 1
                    check_row(item, case)
                else:
                    totals.rejects[item.error] += 1
                    json.dumps(item.entry(), ensure_ascii=False).encode("utf-8", "backslashreplace")
            assert table.rows_in == given, f"{table.rows_in} counted, {given} given"
            assert all(map(str, table.warnings))
    except InputRefused as error:
        totals.refused[error.code] += 1
        assert len(str(error)) > 20, "a message without a remedy"
        return None
    return given


def check_job(case: Case, path: Path, given: int | None, place: Workspace, source: str, totals: Totals) -> None:
    """Index one input as a source, and check that the job did with its ``given`` rows what it says it did."""
    listed = io.StringIO()
    try:
        one = inputs_of_files([str(path)], source)[0]
        done = index_input(place, MODEL, one, RejectsStream(listed), options=case.options, max_reject_rate=1.0).result
    except InputRefused as error:
        totals.refused_jobs[error.code] += 1
        assert given is None or error.code == "E_TOO_MANY_REJECTS", f"{given} rows read, but refused: {error}"
        return
    assert given is not None, "the reader refused it, the job did not"
    totals.jobs += 1
    if done is None:  # an empty file, which is allowed
        assert not given
        return
    rows = done.rows
    assert given == rows.rows_in == rows.added + rows.rejected, f"{given} rows given, {rows} stored"
    assert len(listed.getvalue().splitlines()) == rows.rejected, "a reject that is not listed"
    with place.open(for_writing=False) as store:
        assert store.counts().sources[source] == rows.added, "a row that was counted, but not stored"


def check_row(row: Row, case: Case) -> None:
    """Check that a row can be stored and is where it says."""
    content = "\n".join((row.external_id or "", row.raw, *row.fields, *row.fields.values()))
    content.encode()
    assert "\0" not in content, "a NUL character in a row"
    if case.text is None or not isinstance(row.record, str) or case.options.encoding not in (None, "utf-8"):
        return
    if case.text.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        return
    record = row.record.encode()
    assert row.byte_offset is not None
    assert case.text[row.byte_offset :].startswith(record), "a wrong byte offset"


def draw_limits(chance: random.Random | None) -> int:
    """Vary the limits, so that their edges are met, and return the bytes of a chunk; None restores them."""
    chunk_bytes = chance.choice((1 << 20, 1 << 20, 37, 500)) if chance else 1 << 20
    lines.MAX_LINE_BYTES = chance.choice((16 << 20, 2000)) if chance else 16 << 20
    dialect.MAX_CELL_CHARACTERS = jsonl.MAX_CELL_CHARACTERS = chance.choice((1 << 20, 300)) if chance else 1 << 20
    return chunk_bytes


def run(seed: int, start: int, count: int, *, ends_early: bool = False) -> Totals:
    """Read inputs ``start`` to ``start + count - 1``, or to the first failure if it ``ends_early``."""
    totals = Totals()
    tables = parquet_seeds()
    costly_inputs()  # so that making them does not count as the readers' memory
    parquet.start = Forked  # type: ignore[assignment]
    signal.signal(signal.SIGALRM, alarm)
    folder = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=folder, prefix="neardup-fuzz-") as directory:
        path, workspace = Path(directory) / "input", Path(directory) / "workspace"
        for number in range(start, start + count):
            if number % JOBS_IN_A_WORKSPACE == 0:
                shutil.rmtree(workspace, ignore_errors=True)
            chance = random.Random(f"{seed}:{number}")
            case = case_of(chance, tables)
            chunk_bytes = draw_limits(None if case.kind == "costly" else chance)
            case.options = replace(case.options, chunk_bytes=chunk_bytes)
            totals.kinds[case.kind] += 1
            began, before = time.perf_counter(), peak_mib()
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            try:
                given = check(case, path, totals)
                if number % JOB_EVERY == 0 and (given or 0) <= JOB_ROWS:
                    check_job(case, path, given, Workspace(workspace), f"input {number}", totals)
                assert peak_mib() - before < MEMORY_MIB, f"{peak_mib() - before} MiB more"
            except (Exception, Hang) as error:
                where = traceback.format_exc().strip().splitlines()[-3:]
                totals.failures.append({"input": number, "kind": case.kind, "error": repr(error)[:300], "where": where})
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            totals.slowest = max(totals.slowest, (time.perf_counter() - began, number))
            if totals.failures and ends_early:
                break
    return totals


def peak_mib() -> int:
    """Return the peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def alarm(signum: int, frame: FrameType | None) -> None:
    raise Hang(f"more than {SECONDS} s")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--ends-early", action="store_true", help="end at the first failure")
    asked = parser.parse_args()
    start = time.perf_counter()
    totals = run(**vars(asked))
    result = {
        **vars(asked),
        "failures": len(totals.failures),
        "rows": totals.rows,
        "jobs": totals.jobs,
        "rejected": totals.rejects.total(),
        "refused": totals.refused.total(),
        "slowest": totals.slowest,
        "peak_mib": peak_mib(),
        "seconds": round(time.perf_counter() - start),
        "inputs_by_kind": totals.kinds,
        "refused_by_code": totals.refused,
        "refused_jobs_by_code": totals.refused_jobs,
        "rejected_by_code": totals.rejects,
        "first_failures": totals.failures[:20],
    }
    print(json.dumps(result))
    return 1 if totals.failures else 0


if __name__ == "__main__":
    sys.exit(main())
