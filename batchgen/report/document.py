"""Jobs as JSON data, as ``--json`` writes them, and how many there are in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from batchgen.api.standing import JobReport
from batchgen.errors import Problem
from batchgen.report.money import money_data
from batchgen.report.text import clean, count, enumerated


def job_data(job: JobReport) -> dict[str, Any]:
    """One job with all its keys, null where there is nothing."""
    return {
        "id": job.id,
        "state": str(job.state),
        "listed": job.listed,
        "model": job.model,
        "price": money_data(job.price),
        "spent": money_data(job.spent),
        "task_id": job.task_id,
        "adopted": job.adopted,
        "held": job.held,
        "look_again_at": time_data(job.look_again_at),
        "deadline": time_data(job.deadline),
        "files": list(job.files),
        "code": job.code,
        "message": job.message,
    }


def named(jobs: Iterable[JobReport]) -> str:
    """``fox, moon and 30 more``."""
    return enumerated([clean(job.id) for job in jobs])


def jobs_listed(jobs: Sequence[JobReport]) -> str:
    """``3 jobs (and 1 that the manifest no longer names)``."""
    others = sum(not job.listed for job in jobs)
    told = count(len(jobs) - others, "job")
    return f"{told} (and {others:,} that the manifest no longer names)" if others else told


def time_data(seconds: float | None) -> str | None:
    """ISO 8601, from Unix seconds."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def adopted_words(number: int) -> str:
    """What there is to say of jobs whose task was adopted."""
    adopted = f"{count(number, 'job')} adopted"
    return f"{adopted}: the answer to the request was lost, and its task found at the service"


def jobs_data(jobs: Sequence[JobReport]) -> dict[str, Any]:
    """How many jobs there are in each state, and each job."""
    return {
        "counts": dict(Counter(str(job.state) for job in jobs)),
        "jobs": [job_data(job) for job in jobs],
    }


def problems_data(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Mistakes or warnings, each with its place."""
    return [asdict(problem) for problem in problems]
