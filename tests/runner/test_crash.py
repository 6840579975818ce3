"""The process dies by SIGKILL, again and again; run again, it ends complete and bought once.

The stand-in of the service is a process of its own, so that it lives on as the real one would, and
the witness is its own count of created tasks.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from urllib.request import urlopen

import pytest

JOBS = 12
SERVICE = """
import asyncio, sys
from pathlib import Path
from batchgen.sandbox import Sandbox

async def main():
    async with Sandbox(Path(sys.argv[1]), speed=400) as sandbox:
        print(sandbox.base_url, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""
CLIENT = """
import asyncio, sys
from pathlib import Path
from batchgen.api import Settings, run
from batchgen.manifest import load

settings = Settings(service_speed=400)
summary = asyncio.run(run(load(Path(sys.argv[1])), settings))
raise SystemExit(summary.exit_code)
"""


@pytest.fixture
def service(tmp_path):
    """The base URL of a stand-in that no test kills."""
    command = [sys.executable, "-c", SERVICE, str(tmp_path / "service")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process.stdout.readline().strip()
        process.communicate(timeout=60)


def bill(base_url: str) -> dict:
    with urlopen(base_url.replace("/api/v1", "/sandbox/bill")) as answer:
        return json.load(answer)


def test_a_batch_that_is_killed_over_and_over_is_bought_once(tmp_path, service):
    """Created tasks equal the jobs, but for those in doubt, which are held and named."""
    manifest = tmp_path / "film.yaml"
    prompts = "".join(f"  - Wave number {number} breaks on the pier.\n" for number in range(JOBS))
    manifest.write_text(f"defaults: {{model: wan2.2-t2v-plus, size: 624*624}}\njobs:\n{prompts}")
    environment = {
        **os.environ,
        "DASHSCOPE_HTTP_BASE_URL": service,
        "DASHSCOPE_API_KEY": "sk-sandbox",
    }
    command = [sys.executable, "-c", CLIENT, str(manifest)]
    dice = random.Random(7)
    for _ in range(10):
        with subprocess.Popen(command, env=environment) as process:
            try:
                process.wait(timeout=dice.uniform(0.8, 2.0))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
    finished = subprocess.run(command, env=environment, timeout=120, check=False)
    folder = tmp_path / "output" / "film"
    videos = sorted(folder.glob("*.mp4"))
    held = JOBS - len(videos)
    assert finished.returncode == (3 if held else 0)
    assert len(sorted(folder.glob("*.json"))) == len(videos)
    created = bill(service)
    assert created["equal_requests"] == 0, "something was bought twice"
    assert len(videos) <= created["tasks_created"] <= JOBS
    assert not list((folder / ".batchgen" / "parts").iterdir()), "left over"
    for path in videos:
        (file,) = json.loads(path.with_suffix(".json").read_text())["files"]
        assert file["bytes"] == path.stat().st_size
