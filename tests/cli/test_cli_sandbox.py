"""The stand-in as a service of its own."""

from __future__ import annotations

import signal
import socket

from batchgen.cli import main


def test_a_run_against_a_sandbox(night, start, monkeypatch, capsys):
    """What it prints is all that a run needs; Ctrl-C ends it well, with its bill."""
    sandbox = start("sandbox", "--port", "0", "--speed", "600", "--key", "sk-alice=studio")
    for _ in range(2):
        name, _, value = sandbox.stdout.readline().removeprefix("export ").strip().partition("=")
        monkeypatch.setenv(name, value)
    assert main(["run", "night.yaml", "--only", "moon"]) == 0
    assert "2 results in" in capsys.readouterr().out
    sandbox.send_signal(signal.SIGINT)
    _, err = sandbox.communicate()
    assert sandbox.returncode == 0
    assert "listens until Ctrl-C" in err
    assert "sandbox bill: 1 task, 0 seconds of video, 2 images" in err


def test_a_port_that_is_taken(capsys):
    """A second sandbox on the port is told to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["sandbox", "--port", str(taken.getsockname()[1])]) == 2
    err = capsys.readouterr().err
    assert "port is taken" in err
    assert "--port" in err
