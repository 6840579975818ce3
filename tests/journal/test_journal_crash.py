"""A journal survives the death of its process at any step."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from batchgen.core.facts import Wanted
from batchgen.core.policy import Policy
from batchgen.journal import Journal

OPEN = """
import sys
from pathlib import Path
from batchgen.journal import Journal
journal = Journal.open(Path(sys.argv[1]), kind="sandbox", manifest="detective")
"""
APPEND = """
from batchgen.core.facts import Wanted
fields = dict(account="main", request="r", model="m", price=None, currency=None)
for order in range(int(sys.argv[2])):
    journal.append([Wanted(at=1.0, job=f"j{order}", order=order, **fields)] * 1)
    print(order, flush=True)
"""
FOLD = """
import asyncio
from batchgen.core.facts import RunStarted
from batchgen.core.policy import Policy
from batchgen.journal import log
log.FOLDED_FROM = 1
journal.append([RunStarted(at=float(n), account="main", version="1") for n in range(3)])
known = journal.recall(Policy(lanes={}))
for fact in journal.replay(known.taken):
    known.after(fact)
asyncio.run(journal.fold(known))
print("folded", flush=True)
"""
STEPS = "openat,mkdir,fsync,fdatasync,pwrite64,ftruncate,rename,unlink,close"


def reopen(folder: Path) -> list[str]:
    """Go on after a crash as the next run does: continue the log, and return its jobs."""
    with Journal.open(folder, kind="sandbox", manifest="detective") as journal:
        jobs = [fact.job for fact in journal.replay()]
        journal.append(
            [
                Wanted(
                    at=2.0,
                    account="main",
                    job="next",
                    request="r",
                    model="m",
                    order=9,
                    price=None,
                    currency=None,
                )
            ]
        )
        assert len(list(journal.replay())) == len(jobs) + 1
    return jobs


def killed_at(step: int, call: str, folder: Path, script: str, *arguments: str) -> tuple[bool, str]:
    """Run a script, killed at the n-th call of a kind; return whether it was, and what it said."""
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", str(folder / ".batchgen")]
    for name in ("journal.sqlite", "journal.sqlite.new", "journal.sqlite-wal", "README.txt"):
        command += ["-P", str(folder / ".batchgen" / name)]
    command += ["-e", f"inject={call}:signal=KILL:when={step}"]
    command += [sys.executable, "-c", script, str(folder), *arguments]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    assert run.returncode in (0, -signal.SIGKILL, 128 + signal.SIGKILL), run.stderr
    return run.returncode != 0, run.stdout


@pytest.mark.fault(15)
@pytest.mark.parametrize("call", ["fsync", "fdatasync", "rename", "mkdir"])
def test_a_death_while_the_journal_is_made_leaves_none_or_a_whole_one(
    tmp_path: Path, strace: None, call: str
):
    """Killed at each step of a birth in turn, the next run begins as if nothing had been."""
    deaths = 0
    while True:
        folder = tmp_path / str(deaths)
        killed, _ = killed_at(deaths + 1, call, folder, OPEN)
        assert reopen(folder) == []
        if not killed:
            break
        deaths += 1
    assert deaths


@pytest.mark.fault(16)
@pytest.mark.parametrize("step", [1, 2, 3, 5, 8, 13])
def test_a_death_during_a_commit_keeps_every_commit_that_returned(
    tmp_path: Path, strace: None, step: int
):
    """What ``append`` returned from is there, whatever write or sync its process died in."""
    for call in ("pwrite64", "fdatasync"):
        folder = tmp_path / call
        reopen(folder)
        _, said = killed_at(step, call, folder, OPEN + APPEND, "4")
        confirmed = ["next", *(f"j{order}" for order in said.split())]
        assert reopen(folder)[: len(confirmed)] == confirmed


@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
def test_a_death_while_the_log_is_folded_leaves_the_log_and_a_whole_fold_or_none(
    tmp_path: Path, strace: None, call: str
):
    """Killed at each step of a fold in turn, the next run knows every fact, folded or not."""
    policy, deaths = Policy(lanes={}), 0
    for step in range(1, 40):
        folder = tmp_path / str(step)
        reopen(folder)
        killed, _ = killed_at(step, call, folder, OPEN + FOLD)
        with Journal.open(folder, kind="sandbox", manifest="detective") as journal:
            known = journal.recall(policy).taken
            assert known in {0, 4}
            assert len(list(journal.replay())) in {1, 4}
            assert len(list(journal.replay(known))) in {0, 1, 4}
        if not killed:
            break
        deaths += 1
    assert deaths
