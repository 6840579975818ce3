"""What the README says is so: its tables are made from the code, and its commands are run.

``python tests/test_readme.py`` writes the tables anew.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import av
import pytest

import batchgen
from batchgen.catalog.weights import video_bytes
from batchgen.cli.commands import batchgen as batchgen_command
from batchgen.core.lifecycle import STEPS, State
from batchgen.core.policy import HOUR, RETENTION, Policy
from batchgen.core.reconciling import LATE
from batchgen.errors import ExitCode
from batchgen.notify.command import LIMIT
from batchgen.runner.loop import PATIENCE
from batchgen.sandbox import load_faults, read_models

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
_SETTING_UP = ("python3 -m venv", ". .venv/", "pip install", "export ", "sqlite3 ")
_BENCHMARK = "python tests/bench/"
_NEEDS_THE_SERVICE = {"batchgen run jobs/detective.yaml"}


def states() -> str:
    """The states of a job as a diagram that GitHub draws."""
    names = {state: state.name.lower() for state in State}
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f'    state "{state}" as {names[state]}' for state in State if state != names[state]]
    lines.append(f"    [*] --> {names[State.PENDING]}: Wanted")
    for state, steps in STEPS.items():
        if state is State.NEW:
            continue
        ends: dict[State, list[str]] = {}
        for fact, end in steps.items():
            ends.setdefault(end, []).append(fact.__name__)
        for end, facts in ends.items():
            lines.append(f"    {names[state]} --> {names[end]}: {', '.join(facts)}")
    return "\n".join([*lines, "```"])


def exit_codes() -> str:
    """The table that cron jobs are written by."""
    rows = [f"| {code.value} | {code.meaning} |" for code in ExitCode]
    return "\n".join(["| code | meaning |", "|---|---|", *rows])


def written_anew(text: str) -> str:
    """The README with its tables as the code has them."""
    for name, content in (("states", states()), ("exit codes", exit_codes())):
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        text = pattern.sub(lambda found, new=content: f"{found[1]}{new}\n{found[2]}", text)
    return text


def commands() -> list[str]:
    """Every command of the README's shell blocks, but for those that set a machine up."""
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line]
    return [line for line in lines if not line.startswith(_SETTING_UP)]


def test_the_tables_are_those_of_the_code():
    """The states and the exit codes are as the README shows them."""
    text = README.read_text(encoding="utf-8")
    assert written_anew(text) == text, "run: python tests/test_readme.py"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """What a newcomer has: the jobs, and an empty place for results."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "jobs", folder / "jobs")
    return folder


def run(command: str, folder: Path) -> subprocess.CompletedProcess:
    words = shlex.split(command)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_the_main_command_ends_with_every_result_on_disk_and_playable(checkout):
    """The README's first run needs no key, and its videos decode to the last frame."""
    (main,) = [line for line in commands() if "--sandbox" in line]
    finished = run(main, checkout)
    assert finished.returncode == 0, finished.stderr
    folder = checkout / "output" / "sandbox" / "detective"
    assert sorted(path.name for path in folder.glob("[!.]*")) == [
        "fox-detective.json",
        "fox-detective.mp4",
        "moonlit-kitten.json",
        "moonlit-kitten.mp4",
        "subway-musician.json",
        "subway-musician.mp4",
    ]
    for path in folder.glob("*.mp4"):
        with av.open(str(path)) as video:
            seconds = sum(1 for _ in video.decode(video=0)) / video.streams.video[0].average_rate
        assert seconds == (10 if path.stem == "fox-detective" else 5)
    again = run(main, checkout)
    assert again.returncode == 0


def test_the_other_commands_do_what_the_readme_says(checkout):
    """Each is run as it stands; only what asks the real service is left out."""
    for command in commands():
        if "--sandbox" in command or "pytest" in command or command in _NEEDS_THE_SERVICE:
            continue
        if command.startswith(_BENCHMARK):
            continue
        finished = run(command, checkout)
        assert finished.returncode == 0, f"{command}: {finished.stderr}"


def test_the_benchmark_is_where_the_readme_says():
    """It takes minutes, so it is only asked what it can do."""
    (command,) = [command for command in commands() if command.startswith(_BENCHMARK)]
    assert run(f"{command} --help", ROOT).returncode == 0


def test_the_real_service_is_not_asked_without_a_key(checkout):
    """A newcomer without a key is told what to do, with exit 2."""
    (command,) = _NEEDS_THE_SERVICE
    finished = run(command, checkout)
    assert finished.returncode == ExitCode.MISTAKE
    assert "--sandbox" in finished.stderr


def block(language: str, beginning: str) -> str:
    """The README's one block of a language that begins so."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    (found,) = [block for block in blocks if block.startswith(beginning)]
    return found


def test_the_first_manifest_has_no_mistake(tmp_path):
    """What a newcomer copies from the README plans as it stands."""
    (tmp_path / "first.yaml").write_text(block("yaml", "name:"), encoding="utf-8")
    shutil.copy(ROOT / "jobs" / "storyboard" / "lighthouse.png", tmp_path / "tide.png")
    (tmp_path / "more.jsonl").write_text('{"prompt": "A gull lands on a chimney."}\n')
    manifest = batchgen.load(tmp_path / "first.yaml")
    assert [job.id for job in manifest.jobs][:2] == ["fox", "tide"]
    assert len(manifest.jobs) == 4


def test_a_price_of_ones_own_is_the_price_of_the_plan(tmp_path):
    """The README's catalog, word for word, changes what a job costs."""
    (tmp_path / "prices.yaml").write_text(block("yaml", "models:\n"), encoding="utf-8")
    (tmp_path / "one.yaml").write_text(
        "catalog: prices.yaml\n"
        "jobs: [{model: wan2.6-t2v, prompt: A fox, size: 1280*720, duration: 10}]\n"
    )
    manifest = batchgen.load(tmp_path / "one.yaml")
    assert str(batchgen.plan(manifest).to_spend["wan2.6-t2v"]) == "USD 0.80"


def test_the_files_for_the_sandbox_are_read_as_they_stand(tmp_path):
    """The fault script and the table of models of the README hold no mistake."""
    (tmp_path / "faults.yaml").write_text(block("yaml", "seed:"), encoding="utf-8")
    (tmp_path / "models.yaml").write_text(block("yaml", "models: {"), encoding="utf-8")
    assert len(load_faults(tmp_path / "faults.yaml").rules) == 3
    assert read_models(tmp_path / "models.yaml")["my-t2v"].running == 1


COMMANDS = batchgen_command.commands


def options_of(command: str) -> set[str]:
    return {option for one in COMMANDS[command].params for option in one.opts}


NIGHTLY = {"crontab": r"^(?:[-*/,\d]+ ){5} *(.*)$", "ini": r"^ExecStart=(.*)$"}
"""The command lines of a crontab and of a unit."""


def nightly(language: str, checkout: Path) -> list[str]:
    """The commands that the README has run at night, with the places of this machine."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    lines = re.findall(NIGHTLY[language], "\n".join(blocks), re.MULTILINE)
    return [localized(line, checkout) for line in lines]


def localized(text: str, checkout: Path) -> str:
    program = str(Path(sys.executable).parent / "batchgen")
    text = text.replace("/home/ada/.venv/bin/batchgen", program)
    return text.replace("/home/ada/films/night.yaml", str(checkout / "jobs" / "detective.yaml"))


@pytest.mark.parametrize("language", NIGHTLY)
def test_the_lines_for_the_night_run_where_nobody_is(checkout, language):
    """The crontab's commands and the unit's: no terminal, no locale, no folder of one's own."""
    lines = nightly(language, checkout)
    both = [line.replace("%i", kind) for line in lines for kind in ("run", "collect")]
    for line in dict.fromkeys(both if language == "ini" else lines):
        rehearsed = line.replace("/home/ada/films", str(checkout)) + " --sandbox --quiet"
        pace = " --speed 600" if " run " in line else ""
        finished = subprocess.run(
            ["/bin/sh", "-c", rehearsed + pace],
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "HOME": str(checkout), "SHELL": "/bin/sh"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", ""), line
    assert len(lines) == (2 if language == "crontab" else 1)


def test_every_option_of_the_readme_is_one():
    """Each stands with a command that has it, and the commands that choose jobs are all named."""
    text = README.read_text("utf-8")
    asked = re.findall(r"batchgen (\w+)\b([^`\n|]*)", text)
    for command, rest in [one for one in asked if one[0] in COMMANDS]:
        for option in re.findall(r"(?<!\S)--[a-z-]+", rest):
            assert option in options_of(command), f"batchgen {command}{rest}"
    known = {option for name in COMMANDS for option in options_of(name)} | {"--help"}
    told = re.findall(r"`(--[a-z-]+)", text)
    assert told
    assert set(told) <= known
    (named,) = re.findall(r"`--only GLOB` chooses jobs \(([\w, ]+)\)", text)
    assert set(named.split(", ")) == {name for name in COMMANDS if "--only" in options_of(name)}


def test_the_numbers_of_the_readme_are_those_of_the_code():
    """What stays free, how much a video may take, what is waited for, and what is sent again."""
    text = " ".join(README.read_text("utf-8").split())
    policy = Policy(lanes={})
    hd = round((video_bytes(1_000, "1080P") - video_bytes(0, "1080P")) * 8 / 1_000 / 1_000_000)
    assert f"a video counts with {hd} Mbit/s at 1080P" in text
    assert f"and {policy.disk_margin >> 20} MiB stay free" in text
    assert f"it has {LIMIT:g} seconds" in text
    assert f"wait at most {PATIENCE:g} seconds for answers that name tasks" in text
    assert f"The service keeps results for {RETENTION / HOUR:g} hours" in text
    assert f"settle: {policy.settle:g} " in text
    assert ("more than two minutes" in text, LATE * policy.settle) == (True, 120)
    codes = ", ".join(policy.retry.codes)
    assert f"retry: {{attempts: {policy.retry.attempts}, codes: [{codes}]}}" in text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_units_are_units(checkout, tmp_path):
    """systemd finds no fault with the service and both timers."""
    text = README.read_text("utf-8")
    service, timer = re.findall(r"```ini\n(.*?)```", text, re.DOTALL)
    service = localized(service, checkout).replace("User=ada", "User=root")
    (tmp_path / "batchgen@.service").write_text(service)
    (tmp_path / "batchgen@run.timer").write_text(timer)
    morning = timer.replace("Mon..Fri 20:00", "Tue..Sat 07:05")
    (tmp_path / "batchgen@collect.timer").write_text(morning)
    assert morning != timer
    units = ["batchgen@run.service", "batchgen@run.timer", "batchgen@collect.timer"]
    found = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / unit) for unit in units)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stderr) == (0, "")


async def test_the_program_in_the_readme_runs(checkout):
    """The library example, word for word, against a stand-in of the service."""
    (checkout / "example.py").write_text(block("python", "import asyncio"), encoding="utf-8")
    async with batchgen.Sandbox(speed=600) as sandbox:
        environment = {
            **os.environ,
            "DASHSCOPE_HTTP_BASE_URL": sandbox.base_url,
            "DASHSCOPE_API_KEY": "sk-sandbox",
        }
        program = await asyncio.create_subprocess_exec(
            sys.executable,
            "example.py",
            cwd=checkout,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await program.communicate()
    assert program.returncode == 0
    assert told.decode().splitlines()[-1] == "0 USD 1.60 []"


if __name__ == "__main__":
    README.write_text(written_anew(README.read_text(encoding="utf-8")), encoding="utf-8")
