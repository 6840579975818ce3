from __future__ import annotations

from pathlib import Path

import pytest

from batchgen.core.facts import (
    Fact,
    LaneStopped,
    Parked,
    Refused,
    Rendered,
    RenderingStarted,
    ResultRef,
    RunStarted,
    Saved,
    Sealed,
    SubmitLost,
    SubmitStarted,
    Submitted,
    Unparked,
    Wanted,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a batch that has never run."""
    return tmp_path / "output" / "detective"


@pytest.fixture
def home(folder: Path) -> Path:
    """Where the journal of that batch lies."""
    return folder / ".batchgen"


@pytest.fixture
def story() -> list[Fact]:
    """A small batch: fox is done, owl was refused, wave is in doubt, crab renders again."""

    def wanted(job: str, order: int) -> Wanted:
        return Wanted(
            at=1000.25,
            account="main",
            job=job,
            request=f"identity of {job}",
            model="wan2.6-t2v",
            order=order,
            price=500_000,
            currency="USD",
        )

    def of(job: str, at: float) -> dict[str, object]:
        return {"account": "main", "job": job, "attempt": 1, "at": at}

    fox = Rendered(
        **of("fox", 1090.5),
        results=(ResultRef(path="/1d/fox.mp4"), ResultRef(code="DataInspection", message="no")),
        expires=87490.5,
        usage={"video_duration": 5, "ratio": 0.1},
        cost=500_000,
        submit_time=1001.0,
        end_time=1090.0,
        request_id="r-1",
        orig_prompt="狐狸 in a trench coat",
        actual_prompt=None,
        texts=("once", "upon"),
    )
    return [
        RunStarted(at=1000.0, account="main", version="0.1.0"),
        wanted("fox", 0),
        wanted("owl", 1),
        wanted("wave", 2),
        wanted("crab", 3),
        SubmitStarted(**of("fox", 1001.0)),
        Submitted(**of("fox", 1002.0), task_id="t-fox", request_id="r-0"),
        SubmitStarted(**of("owl", 1003.0)),
        Refused(**of("owl", 1004.0), code="DataInspectionFailed", message="the owl is not allowed"),
        RenderingStarted(**of("fox", 1010.0)),
        fox,
        Saved(**of("fox", 1100.0), index=0, file={"path": "fox.mp4", "bytes": 7}),
        Sealed(**of("fox", 1101.0)),
        SubmitStarted(**of("wave", 1102.0)),
        SubmitLost(**of("wave", 1103.0), reason="the connection was reset"),
        SubmitStarted(**of("crab", 1104.0)),
        Submitted(**of("crab", 1105.0), task_id="t-crab", request_id=None),
        Parked(**of("crab", 15505.0), reason="running for 4 h"),
        Unparked(**of("crab", 15600.0)),
        LaneStopped(
            at=15601.0, account="main", model="wan2.1", code="AccessDenied", message="not bought"
        ),
    ]
