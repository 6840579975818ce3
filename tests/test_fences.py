"""The fences hold."""

from __future__ import annotations

import os
import socket

import pytest


def test_no_test_can_reach_another_host():
    """A connection to a public address is stopped before a packet leaves."""
    with socket.socket() as plain, pytest.raises(BaseException, match="tried to reach"):
        plain.connect(("192.0.2.1", 443))


def test_no_test_sees_a_real_key():
    """The environment holds nothing of the service's."""
    assert not [name for name in os.environ if name.startswith("DASHSCOPE_")]
    assert not os.path.exists(os.path.expanduser("~/.dashscope/api_key"))  # noqa: PTH111, PTH110
