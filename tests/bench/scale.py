"""What a batch costs by its size, without a service: planned, and opened again when all is done.

    python tests/bench/scale.py [--million] [--kind jsonl|csv|txt|yaml]

``plan``    ``batchgen plan`` of a new manifest of 1,000, 10,000 and 100,000 jobs
``replay``  ``batchgen run`` of a batch that is done, whose journal holds seven facts a job and no
            fold, as a run leaves it that was killed at its end
``rerun``   the same once more: the log is folded, and nothing is sent
``open``    the journal alone: opened, recalled, and every job back in memory

``--million`` plans a million jobs as well (three minutes). Every figure is of a process of its own:
seconds on the clock and of a core, the most memory, and what each job adds to a batch without any.
The script stops by itself, and judges nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from batchgen.api.settings import Settings, policy_of
from batchgen.api.standing import wishes_of
from batchgen.core import facts as f
from batchgen.core.batch import Batch
from batchgen.core.standing import Standing
from batchgen.core.wishes import Wish, difference
from batchgen.journal import Journal
from batchgen.manifest import Manifest, load, outline, output_folder

SIZES = (1_000, 10_000, 100_000)
MILLION = 1_000_000
KINDS = ("jsonl", "csv", "txt", "yaml")
ACCOUNT = "default"
AT_ONCE = 1_000
"""Jobs that one commit finishes."""

HEAD = "defaults: {model: wan2.6-t2v, size: 1280*720, duration: 5}\n"


@dataclass(frozen=True)
class Cost:
    """Of a process: seconds on the clock and of a core, and the most memory in bytes."""

    took: float
    cpu: float
    memory: int

    def line(self, what: str, jobs: int, empty: Cost) -> str:
        each = f"{(self.cpu - empty.cpu) / jobs * 1e6:6.0f} us"
        room = f"{(self.memory - empty.memory) / jobs:7.0f} B"
        seen = f"{self.took:7.2f} s {self.cpu:7.2f} s of a core {self.memory / 1e6:6.0f} MB"
        return f"{what:7} {jobs:>9,} jobs {seen}; a job {each} {room}"


def write(folder: Path, jobs: int, kind: str) -> Path:
    """A manifest of so many jobs, each with a prompt of its own."""
    folder.mkdir(parents=True)
    manifest = folder / "many.yaml"
    prompts = (
        (n, f"Take {n} of a fox in a trench coat who reads a case file") for n in range(jobs)
    )
    if kind == "yaml":
        entries = (f"  - {{id: job-{n}, prompt: {text}}}\n" for n, text in prompts)
        _fill(manifest, (HEAD, "jobs:\n", *entries))
        return manifest
    _fill(manifest, (HEAD, f"jobs_from: many.{kind}\n"))
    rows = {
        "jsonl": (json.dumps({"id": f"job-{n}", "prompt": text}) + "\n" for n, text in prompts),
        "csv": (f"job-{n},{text}\n" if n else f"id,prompt\njob-0,{text}\n" for n, text in prompts),
        "txt": (f"{text}\n" for _, text in prompts),
    }
    _fill(folder / f"many.{kind}", rows[kind])
    return manifest


def _fill(path: Path, lines: Iterator[str] | tuple[str, ...]) -> None:
    with path.open("w") as file:
        file.writelines(lines)


def finish(manifest: Manifest) -> None:
    """Leave the batch as a run leaves it in which everything went well, killed at its last step."""
    folder = output_folder(manifest, None, sandbox=False)
    folder.mkdir(parents=True)
    requests = {job.identity: job.request.document() for job in manifest.jobs}
    now = time.time() - 3600
    standing = Standing(policy_of(manifest, Settings(), manifest.catalog))
    wishes = list(wishes_of(manifest))
    wanted = difference(standing, wishes, account=ACCOUNT, at=now).facts
    whose = {"kind": "service", "manifest": manifest.name, "source": manifest.path}
    with Journal.open(folder, **whose) as journal:
        started = f.RunStarted(at=now, account=ACCOUNT, version="bench")
        journal.append([started, *wanted], requests=requests)
        for begin in range(0, len(wishes), AT_ONCE):
            some = wishes[begin : begin + AT_ONCE]
            journal.append([fact for wish in some for fact in _story(wish, now)])
    for wish in wishes:
        (folder / f"{wish.job}.mp4").write_bytes(b"film")
        (folder / f"{wish.job}.json").write_bytes(b"{}")


def _story(wish: Wish, now: float) -> Iterator[f.Fact]:
    at = now + wish.order * 0.01
    says = {"account": ACCOUNT, "job": wish.job, "attempt": 1}
    task_id = f"{wish.order:08x}-86f6-4b1c-9f1a-{wish.order:012x}"
    yield f.SubmitStarted(at=at, service_time=at - 1, **says)
    yield f.Submitted(at=at + 0.3, task_id=task_id, request_id=task_id[::-1], **says)
    yield f.RenderingStarted(at=at + 5, **says)
    yield f.Rendered(
        **{"at": at + 60, **says, "results": (f.ResultRef(path=f"/1d/{task_id}.mp4"),)},
        expires=at + 86_400,
        submit_time=at,
        end_time=at + 55,
        cost=500_000,
        usage={"duration": 5, "video_count": 1, "SR": 720, "size": "1280*720"},
        request_id=task_id[::-1],
        orig_prompt=f"Take {wish.order} of a fox in a trench coat who reads a case file",
        actual_prompt=f"A long and moody shot of a fox who reads file number {wish.order}",
        texts=(),
    )
    file = {"path": f"{wish.job}.mp4", "bytes": 4, "sha256": "ab" * 32, "media_type": "video/mp4"}
    yield f.Saved(at=at + 62, index=0, file=file, **says)
    yield f.Sealed(at=at + 63, **says)


def cost_of(*command: str) -> Cost:
    """Run the program, or this script, and say what it took."""
    began = time.monotonic()
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    cpu = used.ru_utime + used.ru_stime
    return Cost(time.monotonic() - began, cpu, used.ru_maxrss * 1024)


def reopen(path: Path) -> None:
    """Open the journal of a batch as a run does, with all its jobs and nothing of the manifest."""
    manifest = outline(path)
    policy, folder = policy_of(manifest, Settings(), manifest.catalog), path.parent / "output"
    whose = {"kind": "service", "manifest": manifest.name, "source": path}
    with Journal.open(folder / manifest.name, **whose) as journal:
        known = journal.recall(policy)
        facts = journal.replay(known.taken)
        Batch(policy, standing=known, newest=journal.newest(known), facts=facts)


def measure(folder: Path, jobs: int, kind: str, *, finished: bool) -> Iterator[tuple[str, Cost]]:
    """The figures of one size, one by one."""
    path = write(folder, jobs, kind)
    yield "plan", cost_of("-m", "batchgen", "plan", str(path))
    if finished:
        finish(load(path))
        yield "replay", cost_of("-m", "batchgen", "run", str(path))
        yield "rerun", cost_of("-m", "batchgen", "run", str(path))
        yield "open", cost_of(__file__, "--reopen", str(path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--kind", choices=KINDS, default="jsonl")
    parser.add_argument("--reopen", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reopen:
        reopen(options.reopen)
        return
    with tempfile.TemporaryDirectory() as name:
        empty = dict(measure(Path(name) / "one", 1, options.kind, finished=True))
        for jobs in (*SIZES, *([MILLION] if options.million else [])):
            figures = measure(Path(name) / str(jobs), jobs, options.kind, finished=jobs < MILLION)
            for what, cost in figures:
                print(cost.line(what, jobs, empty[what]), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
