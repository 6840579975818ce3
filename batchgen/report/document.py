"""Jobs and batches as JSON data, as ``--json`` writes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from batchgen.api.standing import JobReport
from batchgen.report.money import money_data


def job_data(job: JobReport) -> dict[str, Any]:
    """One job with all its keys, null where there is nothing."""
    return {
        "id": job.id,
        "state": str(job.state),
        "model": job.model,
        "price": money_data(job.price),
        "spent": money_data(job.spent),
        "task_id": job.task_id,
        "files": list(job.files),
        "code": job.code,
        "message": job.message,
    }


def jobs_data(jobs: Sequence[JobReport]) -> dict[str, Any]:
    """How many jobs there are in each state, and each job."""
    return {
        "counts": dict(Counter(str(job.state) for job in jobs)),
        "jobs": [job_data(job) for job in jobs],
    }
