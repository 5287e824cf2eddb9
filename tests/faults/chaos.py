"""Chaos on PostgreSQL: small jobs under faults of the server and of the connection, each done exactly once.

    python tests/faults/chaos.py --rounds 1000 --seed 1 --output chaos.json
    python tests/faults/chaos.py --controls 20

A round is one job on a store of known content, struck by one kind of fault at a seeded place; it is repeated until it
is done. Then records, texts, vectors, accounts, runs and the snapshot must be what the model of a store says, and,
after each attempt that gave up, what it says of the batches that are accounted for. A round counts only if its fault
came to pass. ``--controls`` breaks the program on purpose (``sabotage.py``): rounds must fail then. Exit code 1 if a
round fails, or if a control does not.
"""

import argparse
import json
import logging
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from chaos_bench import SNAPSHOTS, Bench
from chaos_faults import FAULTS, Fault
from jobs import Job, make_job
from judge import Stage, is_noted_as_done, judge
from sabotage import CONTROLS
from server import running_server

from dedup.errors import EnvironmentFault, WriterBusy

JOBS = ("update", "delete", "purge", "model", "snapshot")
MOST_ATTEMPTS = 200
PROBLEMS = ("lost", "phantom", "half", "accounts", "runs", "snapshot", "error")


@dataclass(slots=True)
class Round:
    """The outcome of one round; ``problems`` by kind, ``gave_up`` names the errors that ended its attempts."""

    kind: str
    job: str
    seed: str
    fired: bool = False
    retries: int = 0
    gave_up: list[str] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)
    detail: str = ""


def play(bench: Bench, kind: str, seed: str) -> Round:
    """Play one round."""
    rng = random.Random(f"{kind} {seed}")
    job = make_job(rng.choice(JOBS), rng, refresh=False)
    after_run = bench.reset(job)
    fault = FAULTS[kind](bench, rng, bench.sizes[job.kind])
    played = Round(kind, job.kind, seed)
    bench.retry_pauses_s = fault.pauses
    try:
        _play(bench, job, fault, played, after_run)
    except Exception:  # whatever it is: the round failed, and the next one can be played
        fault.release()
        played.problems["error"] += 1
        played.fired = True
        played.detail = traceback.format_exc()
    played.retries = bench.watch.states.total()
    return played


def _play(bench: Bench, job: Job, fault: Fault, played: Round, after_run: int) -> None:
    """Let a fault strike a job, repeat it until it is done, and note the problems."""
    fault.arm()
    result = _attempt(bench, job, played)
    bench.watch.disarm()
    bench.proxy.cuts.clear()
    fault.release()
    played.fired = fault.has_fired()
    while result is None and len(played.gave_up) < MOST_ATTEMPTS:
        bench.settle()
        _judge(bench, job, played, Stage(after_run=after_run))
        with bench.session() as session:
            is_done = job.kind != "snapshot" and is_noted_as_done(session, after_run)
        result = job.result if is_done else _attempt(bench, job, played)
    bench.settle()
    attempts = len(played.gave_up) + 1
    _judge(bench, job, played, Stage(done=True, after_run=after_run, attempts=attempts, snapshots=SNAPSHOTS))
    if result != job.result:
        played.problems["accounts"] += 1


def _attempt(bench: Bench, job: Job, played: Round) -> Any:
    try:
        return bench.run(job)
    except (EnvironmentFault, WriterBusy) as error:
        played.gave_up.append(type(error).__name__)
        if isinstance(error, WriterBusy):
            time.sleep(0.02)
        return None


def _judge(bench: Bench, job: Job, played: Round, stage: Stage) -> None:
    for problem in judge(Path(), bench.direct_url, job, stage, bench.places):
        played.problems[problem.kind] += 1
        played.detail = played.detail or f"{problem.kind}: {problem.message}"


@contextmanager
def bench_at_work() -> Iterator[Bench]:
    """Start a server and measure every job once."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nd-chaos-")))
        bench = Bench(stack.enter_context(running_server()), directory)
        stack.enter_context(bench.watching())
        for kind in JOBS:
            bench.measure(make_job(kind, random.Random(kind), refresh=False))
        yield bench


def play_all(bench: Bench, kinds: Sequence[str], rounds: int, seed: str, *, is_shown: bool = False) -> list[Round]:
    """Play until so many rounds count, the kinds of faults in turn; return all, those that do not count too."""
    played: list[Round] = []
    counted = 0
    for number in range(10 * rounds):
        if counted >= rounds:
            break
        last = play(bench, kinds[number % len(kinds)], f"{seed}-{number}")
        played.append(last)
        counted += last.fired
        if is_shown and (last.problems or counted % 50 == 0):
            state = f"{last.kind}, {last.job}, {last.seed} {dict(last.problems)} {last.detail}"
            print(f"{counted}/{rounds} {state}", file=sys.stderr)
    return played


def control(bench: Bench, name: str, rounds: int, seed: str) -> list[Round]:
    """Play rounds with the program broken on purpose."""
    with ExitStack() as stack:
        for owner, attribute, new in CONTROLS[name].patches():
            stack.enter_context(patch.object(owner, attribute, new))
        return play_all(bench, CONTROLS[name].faults, rounds, seed)


def table(played: Sequence[Round]) -> list[str]:
    """Return one line for each kind of fault."""
    columns = ("counted", "missed", "retries", "reruns", *PROBLEMS)
    lines = [f"{'fault':<28}" + "".join(f"{name:>11}" for name in columns)]
    for name in (*dict.fromkeys(one.kind for one in played), "all"):
        group = [one for one in played if name in (one.kind, "all")]
        counted = sum(one.fired for one in group)
        numbers = [counted, len(group) - counted, sum(one.retries for one in group)]
        numbers += [sum(len(one.gave_up) for one in group)]
        numbers += [sum(one.problems[problem] for one in group) for problem in PROBLEMS]
        lines.append(f"{name:<28}" + "".join(f"{number:>11,}" for number in numbers))
    return lines


def check_controls(bench: Bench, rounds: int, seed: str) -> dict[str, int]:
    """Play rounds with each control and print them; return how many failed."""
    failed = {}
    for name in [name for name, one in CONTROLS.items() if one.faults]:
        played = control(bench, name, rounds, seed)
        failed[name] = sum(bool(one.problems) for one in played)
        kinds = dict(sum((one.problems for one in played), Counter()))
        print(f"{name:<26}{failed[name]:>4} of {len(played)} rounds failed  {kinds}", flush=True)
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--only", nargs="*", default=list(FAULTS), metavar="KIND", help="kinds of faults; default all")
    parser.add_argument("--controls", type=int, metavar="ROUNDS", help="break the program, for so many rounds each")
    parser.add_argument("--output", type=Path, metavar="JSON")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    with bench_at_work() as bench:
        if options.controls:
            report: Any = check_controls(bench, options.controls, options.seed)
            is_right = all(report.values())
        else:
            start = time.monotonic()
            played = play_all(bench, options.only, options.rounds, options.seed, is_shown=True)
            version = bench.server.execute("SHOW server_version")[0][0]
            print(
                f"PostgreSQL {version}, seed {options.seed}, {time.monotonic() - start:.0f} s", *table(played), sep="\n"
            )
            is_right = not any(one.problems for one in played)
            report = [asdict(one) for one in played]
    if options.output:
        options.output.write_text(json.dumps(report, indent=1))
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
