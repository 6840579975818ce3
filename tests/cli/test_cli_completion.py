"""Shells complete commands, options and manifests."""

from __future__ import annotations

import pytest

from batchgen.cli import main


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_printed(shell, capsys):
    """The script goes to standard output, and into no file of the user's."""
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"_BATCHGEN_COMPLETE={shell}_complete" in script
    assert "_batchgen_completion" in script


def completed(words, monkeypatch, capsys):
    monkeypatch.setenv("_BATCHGEN_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    assert main([]) == 0
    return capsys.readouterr().out.splitlines()


def test_commands_and_options(monkeypatch, capsys):
    """A command and an option that begin so."""
    assert completed("batchgen pl", monkeypatch, capsys) == ["plain,plan"]
    assert completed("batchgen status --sa", monkeypatch, capsys) == ["plain,--sandbox"]


def test_manifests(night, monkeypatch, capsys):
    """YAML files here and one folder below; where there are none, the shell offers folders."""
    jobs = night.with_name("jobs")
    jobs.mkdir()
    (jobs / "overnight.yml").touch()
    (jobs / "notes.txt").touch()
    assert completed("batchgen run ", monkeypatch, capsys) == [
        "plain,jobs/overnight.yml",
        "plain,night.yaml",
    ]
    assert completed("batchgen plan jobs/", monkeypatch, capsys) == ["plain,jobs/overnight.yml"]
    assert completed("batchgen plan ni", monkeypatch, capsys) == ["plain,night.yaml"]
    assert completed("batchgen plan [", monkeypatch, capsys) == ["dir,["]
