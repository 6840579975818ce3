"""The key and signed addresses, looked for byte by byte wherever a batch leaves anything.

The program runs as a process, against a sandbox in this one, with everything that makes programs
talk: development mode, a debugging event loop, kills, and an end for want of memory.
"""

from __future__ import annotations

import asyncio
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchgen.cli import main
from batchgen.sandbox import (
    Answer,
    Content,
    CutShort,
    Fail,
    Page,
    Point,
    Reset,
    Rule,
    Sandbox,
)
from tests.promises.witnesses import Watch, tasks
from tests.runner.rehearsal import KEY

SIGNED = "https://bucket.example/in.png?Expires=9&OSSAccessKeyId=x&Signature=canarysignature"
NIGHT = """
defaults: {model: wan2.2-t2i-flash, size: 512*512}
limits: {max_in_flight: 4, settle: 1}
jobs:
""" + "".join(f"  - {{id: j{n}, prompt: Stamp no {n} of the sea., n: 2}}\n" for n in range(8))


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """The current folder of a person who has a key, and wants to hear everything."""
    (tmp_path / "at work").mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.chdir(tmp_path / "at work")
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("HOME", str(tmp_path / "at work"))
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    monkeypatch.setenv("PYTHONDEVMODE", "1")
    Path("night.yaml").write_text(NIGHT)
    return tmp_path


CALM = (
    Rule(Point.SUBMIT, Answer(429, "Throttling.RateQuota", f"too soon: {SIGNED}"), calls={2}),
    Rule(Point.RESULT, CutShort(1_000), calls={1, 2}),
    Rule(Point.RESULT, Answer(403, "AccessDenied", f"expired: {SIGNED}"), calls={4}),
)
ROUGH = (
    *CALM,
    Rule(Point.QUERY, Page(Content.HTML, 502), calls={2, 5}),
    Rule(Point.QUERY, Reset(), calls={3}),
    Rule(Point.TASK, Fail("InvalidURL", f"cannot fetch {SIGNED}"), prompt="no 5"),
)


@pytest.fixture
async def service(home, request):
    """A sandbox that does not forget, with a rough night ahead, or a calm one."""
    rules = getattr(request, "param", ROUGH)
    async with Sandbox(
        home / "service", speed=120, keys={KEY: "account"}, faults=Watch(*rules)
    ) as sandbox:
        yield sandbox


def leaks(folder: Path) -> Iterator[str]:
    """Every file that holds the key or a signature."""
    for path in (path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        yield from (
            f"{path}: {word}" for word in (KEY, "canarysignature") if word.encode() in content
        )


async def ended(process) -> tuple[str, str]:
    return await asyncio.to_thread(process.communicate)


async def begun(process) -> str:
    """Its first line of progress: requests are under way."""
    return await asyncio.to_thread(process.stderr.readline)


def allow_no_more_memory(process: int) -> None:
    """What it has by now is all that it will ever have."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[0])
    size = pages * resource.getpagesize()
    resource.prlimit(process, resource.RLIMIT_AS, (size, size))


@pytest.mark.fault(122, 124)
async def test_the_key_is_nowhere_whatever_happens(home, service, start):
    """Killed, run again and looked at: neither key nor signature on a disk, a screen, a list."""
    command = ["run", "--base-url", service.base_url, "night.yaml"]
    said, processes = "", []
    for _ in range(2):
        process = start(*command)
        said += await begun(process)
        status = Path(f"/proc/{process.pid}")
        processes.append((status / "cmdline").read_bytes())
        process.send_signal(signal.SIGKILL)
        said += "".join(await ended(process))
        assert not list(leaks(home / "at work"))
    last = start(*command, "--json")
    said += "".join(await ended(last))
    assert last.returncode == 1, said
    for view in ("status", "plan"):
        said += "".join(await ended(start(view, "--json", "night.yaml")))
    assert "cannot fetch https://bucket.example/in.png" in said
    assert KEY not in said
    assert "Signature=" not in said
    assert not any(KEY.encode() in line for line in processes)
    assert not list(leaks(home / "at work"))
    assert not list((home / "tmp").iterdir())
    assert len(tasks(home / "service")) == 8
    results = [
        path for path in (home / "at work" / "output" / "night").rglob("*") if path.is_file()
    ]
    assert not any(b"Signature=" in path.read_bytes() for path in results)


@pytest.mark.fault(22, 122)
@pytest.mark.parametrize("service", [CALM], indirect=True, ids=["calm"])
async def test_an_end_for_want_of_memory_is_a_kill_like_any_other(home, service, start):
    """Whatever it says of its end has no key in it, and the next run buys nothing twice."""
    command = ["run", "--base-url", service.base_url, "night.yaml"]
    process = start(*command)
    said = await begun(process)
    allow_no_more_memory(process.pid)
    said += "".join(await ended(process))
    again = start(*command)
    told = "".join(await ended(again))
    assert again.returncode == 0, told
    assert KEY not in said + told
    assert "canarysignature" not in said + told
    assert not list(leaks(home / "at work"))
    assert len(tasks(home / "service")) == 8


@pytest.mark.fault(124)
@pytest.mark.parametrize("option", ["--key", "--api-key", "--token", "--dashscope-api-key"])
def test_no_command_line_takes_a_key(home, capsys, option):
    """It would be in the list of processes: exit 2, and the key is not repeated."""
    assert main(["run", "night.yaml", option, KEY]) == 2
    out, err = capsys.readouterr()
    assert "No such option" in err
    assert KEY not in out + err
