"""The fuzzer of readers and of the job on a sample: it finds nothing, and notices what is broken."""

import json
import os
import subprocess
import sys

import pytest
from paths import FAULTS, ROOT

SABOTAGE = {
    "a row that is lost": """
        before = delimited.DelimitedTable.__iter__
        def lossy(self):
            for item in before(self):
                if item.record_no % 5:
                    yield item
        delimited.DelimitedTable.__iter__ = lossy""",
    "a row that is not counted": """
        before = jsonl.JsonLinesTable._reject
        def forgetful(self, *rest):
            self.rows_in -= 1
            return before(self, *rest)
        jsonl.JsonLinesTable._reject = forgetful""",
    "a wrong place": """
        before = lines.ByteLines.blocks
        def moved(self):
            for block, places in before(self):
                yield block, [place + 1 for place in places]
        lines.ByteLines.blocks = moved""",
    "bytes replaced": """
        lines.ByteLines.line_encoding = property(lambda self: "latin-1", lambda self, value: None)""",
    "an error that is not one of ours": """
        jsonl._refuse_unusable = lambda text: text.encode()""",
    "a string that is not a plain one": """
        from indexer.ingest import intake
        intake._plain = type("Text", (str,), {})""",
    "a row that is not stored": """
        from indexer.ingest import spool
        before = spool.Spool.add
        spool.Spool.add = lambda self, batch: before(self, spool.Batch(batch.rows_in, batch.rejected, batch.items[1:]))
        """,
    "a hang": """
        import time
        fuzz_readers.SECONDS = 0.2
        jsonl._refuse_unusable = lambda text: time.sleep(30)""",
    "memory": """
        kept = []
        fuzz_readers.MEMORY_MIB = 50
        jsonl._refuse_unusable = lambda text: kept or kept.append(b"x" * (600 << 20))""",
}


def run(program: str) -> dict:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{FAULTS}"}
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert result.stdout, result.stderr
    return json.loads(result.stdout)


def program(*options: str, before: str = "") -> str:
    lines = ["import sys, fuzz_readers", "from indexer.reading import lines"]
    lines += ["from indexer.reading.formats import delimited, jsonl"]
    lines += [line.removeprefix("        ") for line in before.splitlines()]
    start = f"sys.argv = {['fuzz', '--seed', '3', *options]}; sys.exit(fuzz_readers.main())"
    return "\n".join([*lines, start])


def test_fuzzed_inputs_are_refused_or_accounted_for() -> None:
    totals = run(program("--count", "1000"))
    assert totals["first_failures"] == []
    assert totals["rows"] > 1000
    assert totals["rejected"] > 100
    assert totals["jobs"] > 100


@pytest.mark.parametrize("fault", SABOTAGE)
def test_a_faulty_reader_is_found_out(fault: str) -> None:
    assert run(program("--count", "300", "--ends-early", before=SABOTAGE[fault]))["failures"] > 0
