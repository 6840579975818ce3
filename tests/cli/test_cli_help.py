"""Help helps, and comes at once."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import click
import pytest

from batchgen.cli import main
from batchgen.cli.commands import batchgen
from batchgen.cli.process import refuse_plugins
from batchgen.errors import ExitCode
from batchgen.version import VERSION

HEAVY = {
    *("aiofiles", "aiohttp", "anyio", "apsw", "asyncio", "av", "filelock", "PIL", "pydantic"),
    *("rich", "yaml", "batchgen.api.runs", "batchgen.artifacts.tree"),
}

COMMANDS = sorted(batchgen.commands)


def modules_after(*arguments, **environ):
    """The heavy packages that a command line has imported."""
    code = (
        "import sys\nfrom batchgen.cli import main\n"
        f"code = main({list(arguments)!r})\n"
        f"print(code, *sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ
    )
    return run.stderr.split()


@pytest.mark.parametrize("arguments", [(), ("--help",), ("--version",), ("run", "--help")])
def test_help_is_light(arguments):
    """Help and version import none of what takes long to import."""
    assert modules_after(*arguments) == ["0"]


@pytest.mark.parametrize("command", ["plan", "status"])
def test_looking_is_light(command, tmp_path):
    """A plan of a new batch needs neither a loop nor a disk, and none of what a run brings."""
    path = tmp_path / "film.yaml"
    path.write_text("defaults: {model: wan2.6-t2v, size: 1280*720}\njobs: [A fox reads]\n")
    loaded = modules_after(command, str(path))
    assert loaded[0] == "0"
    assert set(loaded[1:]) <= {"pydantic", "rich", "yaml"}


def test_no_plugins_are_sought(monkeypatch):
    """pydantic would look through every package that is installed, at each start."""
    monkeypatch.delenv("PYDANTIC_DISABLE_PLUGINS", raising=False)
    refuse_plugins()
    assert os.environ["PYDANTIC_DISABLE_PLUGINS"] == "__all__"
    monkeypatch.setenv("PYDANTIC_DISABLE_PLUGINS", "mine")
    refuse_plugins()
    assert os.environ["PYDANTIC_DISABLE_PLUGINS"] == "mine"


def test_completion_is_light():
    """Nor does a shell that completes a word."""
    asked = {"COMP_WORDS": "batchgen run --", "COMP_CWORD": "2"}
    assert modules_after(**asked, _BATCHGEN_COMPLETE="bash_complete") == ["0"]


def test_no_arguments_is_help(capsys):
    """Who types the name alone is told what there is, and made no mistake."""
    assert main([]) == 0
    told = capsys.readouterr().out
    for name in COMMANDS:
        assert re.search(rf"^  {name} +\w", told, re.MULTILINE), name
    assert "batchgen run jobs/detective.yaml --sandbox" in told
    assert "DASHSCOPE_API_KEY" in told


def test_version(capsys):
    """The version is that of the package."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"batchgen {VERSION}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(name, capsys):
    """Each command's help has every option with a sentence, and an example that begins so."""
    assert main([name, "-h"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    for parameter in batchgen.commands[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.opts[0] in told
            assert parameter.help, parameter.name
            assert parameter.help.rstrip(".").count(" ") >= 2, parameter.name
            assert " ".join(parameter.help.split()) in told
    assert f"batchgen {name}" in told.partition("Example")[2]


def test_run_explains_the_exit_codes(capsys):
    """Cron's table is in the help of the command that cron runs."""
    assert main(["run", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    for code in ExitCode:
        assert f" {code.value} {code.meaning}" in told


def test_the_module_is_the_program():
    """`python -m batchgen` is the same."""
    run = subprocess.run(
        [sys.executable, "-m", "batchgen", "--version"], capture_output=True, text=True, check=True
    )
    assert run.stdout == f"batchgen {VERSION}\n"


@pytest.mark.fault(124)
def test_no_option_takes_a_key_of_the_service():
    """A key on a command line would be in the shell's history and in the process list."""
    options = {
        option for name in COMMANDS for p in batchgen.commands[name].params for option in p.opts
    }
    assert {option for option in options if "key" in option} == {"--key"}  # the sandbox's own
