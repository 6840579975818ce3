"""The fences: no test reaches a host but loopback, or finds a real key. And what tests of several
rooms start: a batch on virtual time, the program as a process.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import shutil
import socket
import subprocess
import sys

import pytest

from tests.runner.rehearsal import Rehearsal


class YouReachedForTheInternet(BaseException):
    """Not an Exception, so that no code under test can take it for a network error."""


def is_loopback(address: object) -> bool:
    """Whether a socket address stays on this machine."""
    if not isinstance(address, tuple):
        return True  # a Unix socket
    host = str(address[0])
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.split("%", maxsplit=1)[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def no_loop_for_synchronous_tests():
    """looptime asks asyncio for a loop in every test; asyncio would make one that nobody closes."""
    asyncio.set_event_loop(None)


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch):
    """Forbid every connection that would leave this machine."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def fenced(real):
        def checked(self, address):
            if not is_loopback(address):
                raise YouReachedForTheInternet(f"a test tried to reach {address!r}")
            return real(self, address)

        return checked

    monkeypatch.setattr(socket.socket, "connect", fenced(connect))
    monkeypatch.setattr(socket.socket, "connect_ex", fenced(connect_ex))


@pytest.fixture(autouse=True)
def nobodys_environment(monkeypatch, tmp_path_factory):
    """No test sees the key, the region or the home of whoever runs it."""
    for name in list(os.environ):
        if name.startswith("DASHSCOPE_") or name in {"NO_COLOR", "FORCE_COLOR", "COLUMNS"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def rehearsal(tmp_path) -> Rehearsal:
    """A batch against the sandbox, in this process."""
    return Rehearsal(tmp_path)


@pytest.fixture
def start():
    """Starts the program as a process; all of them have ended when the test has."""
    started = []

    def start(*arguments, **options):
        process = subprocess.Popen(
            [sys.executable, "-m", "batchgen", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            **options,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def strace() -> None:
    """Programs can be killed at their system calls."""
    if shutil.which("strace") is None:
        pytest.skip("there is no strace here")
    probe = subprocess.run(["strace", "-qq", "true"], check=False, capture_output=True)
    if probe.returncode != 0:
        pytest.skip("strace is not allowed here")
