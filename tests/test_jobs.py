"""The manifests that people learn from: each plans without a mistake and runs to its end."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import av
import pytest

import batchgen
from batchgen.errors import ExitCode

JOBS = Path(__file__).parents[1] / "jobs"
BATCHGEN = [sys.executable, "-m", "batchgen"]


@pytest.fixture
def jobs(tmp_path) -> Path:
    """A copy, so that results land beside it and not in the checkout."""
    return Path(shutil.copytree(JOBS, tmp_path / "jobs"))


@pytest.mark.parametrize("path", sorted(JOBS.glob("*.yaml")), ids=lambda path: path.stem)
def test_it_plans_without_a_mistake_and_every_job_has_a_price(path):
    """What a newcomer copies is right, and says what it would cost."""
    manifest = batchgen.load(path)
    assert all(job.price for job in manifest.jobs)
    assert batchgen.plan(manifest).to_spend


def test_overnight_is_a_night_of_varied_work():
    """At least a hundred prompts over several models and sizes, no two alike."""
    jobs = batchgen.load(JOBS / "overnight.yaml").jobs
    assert len(jobs) >= 100
    assert len({job.request.prompt for job in jobs}) == len(jobs)
    assert len({job.model.name for job in jobs}) >= 4
    assert len({job.request.parameters.get("size") for job in jobs}) >= 5


def run(manifest: Path, *options: str) -> subprocess.CompletedProcess:
    command = [*BATCHGEN, "run", str(manifest), "--sandbox", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)


@pytest.mark.parametrize("name", ["references", "frames", "edit"])
def test_it_runs_to_its_end_and_nothing_is_bought_twice(jobs, name):
    """From its own media to whole files, each with a sidecar that names what went in."""
    finished = run(jobs / f"{name}.yaml", "--speed", "600")
    assert finished.returncode == ExitCode.DONE, finished.stderr
    assert "no request was made twice" in finished.stderr
    folder = jobs.parent / "output" / "sandbox" / name
    for job in batchgen.load(jobs / f"{name}.yaml").jobs:
        document = json.loads((folder / f"{job.id}.json").read_text(encoding="utf-8"))
        assert document["inputs"].keys() == job.request.media.keys()
        for file in document["files"]:
            with av.open(str(folder / file["path"])) as media:
                assert sum(1 for _ in media.decode(video=0)) > 0


def test_the_storyboard_starts_each_clip_from_its_picture(jobs):
    """Image to video from local files: every clip is playable and names its picture by content."""
    finished = run(jobs / "storyboard.yaml", "--speed", "600")
    assert finished.returncode == ExitCode.DONE, finished.stderr
    folder = jobs.parent / "output" / "sandbox" / "storyboard"
    for sidecar in folder.glob("*.json"):
        document = json.loads(sidecar.read_text(encoding="utf-8"))
        assert document["inputs"]["img_url"]["source"].startswith("storyboard/")
        assert len(document["inputs"]["img_url"]["sha256"]) == 64
        (file,) = document["files"]
        with av.open(str(folder / file["path"])) as video:
            assert sum(1 for _ in video.decode(video=0)) == file["frames"]
    assert len(list(folder.glob("*.mp4"))) == 6


def test_a_night_that_is_interrupted_again_and_again_is_bought_once(jobs):
    """Ctrl-C at random moments, then a run to the end: as many tasks as jobs, every file there."""
    manifest = jobs / "overnight.yaml"
    command = [*BATCHGEN, "run", str(manifest), "--sandbox", "--speed", "600"]
    dice = random.Random(11)
    for _ in range(4):
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
        ) as process:
            try:
                process.wait(timeout=dice.uniform(3.0, 7.0))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
                assert process.wait(timeout=60) == ExitCode.SIGINT
    finished = run(manifest, "--speed", "600")
    assert finished.returncode == ExitCode.DONE, finished.stderr
    assert "sandbox bill: 120 tasks" in finished.stderr
    assert "no request was made twice" in finished.stderr
    folder = jobs.parent / "output" / "sandbox" / "overnight"
    sidecars = [json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")]
    assert len(sidecars) == 120
    for document in sidecars:
        for file in document["files"]:
            assert (folder / file["path"]).stat().st_size == file["bytes"]
