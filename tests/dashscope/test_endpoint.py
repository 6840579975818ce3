from __future__ import annotations

import copy
import pickle
from ipaddress import ip_address

import pytest

from batchgen.dashscope.endpoint import Secret, api_key, base_url, is_internal, is_private
from batchgen.errors import Mistake

CANARY = "sk-canary-0123456789"


def test_a_secret_never_shows_itself():
    """No ordinary way of printing a value prints the key."""
    secret = Secret(CANARY)

    assert [str(secret), repr(secret), f"{secret}", f"{[secret]}"] == ["***", "***", "***", "[***]"]
    assert secret.reveal() == CANARY


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_does_not_leave_the_process(leak):
    """Pickling is refused, so no cache or worker can carry the key away."""
    with pytest.raises(TypeError, match="not pickled"):
        leak(Secret(CANARY))


def test_the_key_comes_from_the_environment_first(tmp_path):
    """The variable beats the named file, which beats the file in the home folder."""
    named = tmp_path / "named"
    named.write_text("sk-named\n")
    (tmp_path / ".dashscope").mkdir()
    (tmp_path / ".dashscope" / "api_key").write_text("  sk-home \n")
    environ = {"DASHSCOPE_API_KEY": f" {CANARY}\n", "DASHSCOPE_API_KEY_FILE_PATH": str(named)}

    assert api_key(environ, tmp_path).reveal() == CANARY
    assert api_key(environ | {"DASHSCOPE_API_KEY": " "}, tmp_path).reveal() == "sk-named"
    assert api_key({}, tmp_path).reveal() == "sk-home"


def test_no_key_anywhere_is_no_mistake(tmp_path):
    """A finished batch needs no key, so its absence is for the caller to judge."""
    assert api_key({}, tmp_path) is None


def test_an_empty_key_file_is_no_key(tmp_path):
    """An empty file is as good as none."""
    (tmp_path / "empty").write_text("\n")

    assert api_key({"DASHSCOPE_API_KEY_FILE_PATH": str(tmp_path / "empty")}, tmp_path) is None


def test_a_named_key_file_must_be_readable(tmp_path):
    """Who names a file means it; the mistake names the file."""
    with pytest.raises(Mistake, match="missing cannot be read: No such file"):
        api_key({"DASHSCOPE_API_KEY_FILE_PATH": str(tmp_path / "missing")}, tmp_path)


def test_a_binary_key_file_is_a_mistake_that_does_not_quote_it(tmp_path):
    """The bytes of a wrong file stay out of the message and of its causes."""
    (tmp_path / "key").write_bytes(CANARY.encode() + b"\xff")

    with pytest.raises(Mistake, match="not a text file") as caught:
        api_key({"DASHSCOPE_API_KEY_FILE_PATH": str(tmp_path / "key")}, tmp_path)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("inside", [" ", "\n", "\x00", "é", "\u200b"])
def test_a_key_that_no_header_carries_is_a_mistake_without_the_key(tmp_path, inside):
    """A pasted line break or label is found before anything is sent, and not printed."""
    with pytest.raises(Mistake) as caught:
        api_key({"DASHSCOPE_API_KEY": f"{CANARY}{inside}{CANARY}"}, tmp_path)

    assert "DASHSCOPE_API_KEY" in str(caught.value)
    assert CANARY not in str(caught.value) + repr(caught.value) + str(caught.value.hint)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://dashscope.aliyuncs.com/api/v1", "https://dashscope.aliyuncs.com/api/v1"),
        (
            " https://w.cn-beijing.maas.aliyuncs.com/v1/ ",
            "https://w.cn-beijing.maas.aliyuncs.com/v1",
        ),
        ("http://127.0.0.1:8080/api/v1//", "http://127.0.0.1:8080/api/v1"),
        ("http://localhost:8080/api/v1", "http://localhost:8080/api/v1"),
        ("http://[::1]:8080/api/v1", "http://[::1]:8080/api/v1"),
        ("http://192.168.1.20/api/v1", "http://192.168.1.20/api/v1"),
    ],
)
def test_good_base_urls_only_lose_their_trailing_slash(given, used):
    """A base URL is used as written."""
    assert base_url(given) == used


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ("", "must be written as"),
        ("dashscope.aliyuncs.com/api/v1", "must be written as"),
        ("ftp://dashscope.aliyuncs.com", "must be written as"),
        ("https://", "must be written as"),
        ("https://user:canary@host/api/v1", "user name or password"),
        ("https://host/api/v1?token=canary", "query or a fragment"),
        ("https://host/api/v1#canary", "query or a fragment"),
        ("https://ho st/api/v1", "space or a control"),
        ("https://host/api\n/v1", "space or a control"),
        ("https://host:port/api/v1", "unreadable host or port"),
        ("https://[::1/api/v1", "unreadable host or port"),
        ("http://dashscope.aliyuncs.com/api/v1", "must use https"),
        ("http://8.8.8.8/api/v1", "must use https"),
    ],
)
def test_a_base_url_that_could_lead_the_key_astray_is_a_mistake(given, what):
    """Each refusal says what is wrong and repeats no secret."""
    with pytest.raises(Mistake, match=what) as caught:
        base_url(given)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("http://127.0.0.1:1/x", True),
        ("http://localhost/x", True),
        ("http://a.localhost/x", True),
        ("http://[::1]/x", True),
        ("http://[fe80::1%25eth0]/x", True),
        ("http://10.1.2.3/x", True),
        ("https://dashscope.aliyuncs.com/x", False),
        ("https://localhost.example/x", False),
        ("https://8.8.8.8/x", False),
        ("file:///x", False),
    ],
)
def test_private_hosts_are_known_by_their_spelling(url, private):
    """Only what is surely inside counts as private."""
    assert is_private(url) is private


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "::",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "::ffff:224.0.0.1",
        "fe80::1%eth0",
        "::ffff:169.254.169.254",
    ],
)
def test_internal_addresses_are_recognised_in_every_spelling(address):
    """Loopback, cloud metadata, private and mapped addresses are all inside."""
    assert is_internal(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "47.88.1.1", "2400:3200::1", "::ffff:8.8.8.8"])
def test_public_addresses_are_not_internal(address):
    """The filter lets the world through."""
    assert not is_internal(ip_address(address))
