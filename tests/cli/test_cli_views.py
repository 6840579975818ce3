"""Plan and status look, and change nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from PIL import Image

from batchgen.cli import main


@pytest.mark.parametrize("command", ["plan", "status"])
def test_looking_leaves_no_trace(night, command):
    """Neither makes a folder, asks for a key or needs the network."""
    assert main([command, "night.yaml"]) == 0
    assert [path.name for path in night.parent.iterdir()] == ["night.yaml"]


TEN_MODELS = {
    "wan2.6-t2v": "",
    "wan2.7-t2v": "",
    "wan2.5-t2v-preview": "",
    "wan2.2-t2v-plus": "",
    "wan3.0-video": "",
    "wan2.6-i2v": "img_url: a.png",
    "wan2.7-i2v": "media: [{type: first_frame, url: a.png}]",
    "wan2.6-r2v": "reference_urls: [a.png, a.png]",
    "wan2.6-image": "images: a.png",
    "wan2.6-t2i": "n: 2",
}


def test_ten_thousand_jobs_over_ten_models_are_planned_within_seconds(night, capsys):
    """A very large manifest, with pictures, is checked and priced while one waits for it."""
    Image.new("RGB", (640, 480)).save(night.parent / "a.png")
    jobs = [
        f"- {{id: job-{n}-{lane}, model: {model}, prompt: 'take {n}, rain', {keys}}}"
        for n in range(1_000)
        for lane, (model, keys) in enumerate(TEN_MODELS.items())
    ]
    night.write_text("jobs:\n" + "\n".join(jobs))
    started = time.process_time()
    assert main(["plan", "night.yaml"]) == 0
    assert time.process_time() - started < 8
    told = capsys.readouterr().out
    assert "The next run buys 10,000 jobs for USD" in told
    assert all(model in told for model in TEN_MODELS)


def test_plan_only_some(night, capsys):
    """`--only` plans what a run with it would buy."""
    assert main(["plan", "night.yaml", "--only", "moon", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["to_buy"] == ["moon"]
    assert [job["id"] for job in told["jobs"]] == ["moon"]


def test_regions_follow_flag_manifest_environment(night, capsys, monkeypatch):
    """A region that does not exist is refused, whoever names it; an explicit URL beats them."""
    monkeypatch.setenv("DASHSCOPE_API_REGION", "atlantis")
    assert main(["plan", "night.yaml"]) == 2
    assert "there is no region atlantis" in capsys.readouterr().err
    assert main(["plan", "night.yaml", "--sandbox"]) == 2
    monkeypatch.setenv("DASHSCOPE_API_REGION", "singapore")
    assert main(["plan", "night.yaml"]) == 0
    assert main(["plan", "night.yaml", "--region", "atlantis"]) == 2


def test_a_rehearsal_does_not_ask_the_environment_where_the_service_is(night, monkeypatch):
    """A URL that would be refused does not matter where none is used."""
    monkeypatch.setenv("DASHSCOPE_HTTP_BASE_URL", "gopher://nowhere")
    assert main(["plan", "night.yaml"]) == 2
    assert main(["plan", "night.yaml", "--sandbox"]) == 0


def test_a_prompt_cannot_reach_the_terminal(night, capsys):
    """Nothing that a manifest says is taken for a command to the terminal."""
    night.write_text('name: "a[/nope]b"\njobs: [{model: wan2.6-t2v, prompt: "[red]\\e[2Jfox"}]')
    assert main(["plan", "night.yaml"]) in {0, 2}
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("command", ["plan", "status"])
def test_a_locale_without_chinese(night, command, encoding):
    """What the terminal cannot show is escaped, and everything else is as ever."""
    night.write_text(night.read_text().replace("id: fox", "id: 狐狸"), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "batchgen", command, "night.yaml"],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        encoding=encoding,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert "night: 2 jobs" in run.stdout
    assert (r"\u72d0\u72f8" in run.stdout) == (command == "plan")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "| true"])
def test_nobody_has_to_listen(night, closed):
    """A closed output is no bug: the exit code says what it would have said."""
    line = f"set -o pipefail; {sys.executable} -m batchgen plan night.yaml {closed}"
    run = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert run.returncode == 0
    assert "Traceback" not in run.stderr
    assert run.stderr == ""
