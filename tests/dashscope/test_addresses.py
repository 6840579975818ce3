from __future__ import annotations

import socket

import pytest
from yarl import URL

from batchgen.dashscope.addresses import AddressPolicy, AddressRefused

PUBLIC, PRIVATE = AddressPolicy(private_ok=False), AddressPolicy(private_ok=True)


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://bucket.aliyuncs.com/a.mp4?S=a%2Bb", "https://bucket.aliyuncs.com/a.mp4?S=a%2Bb"),
        ("http://bucket.aliyuncs.com/a.mp4?S=a%2Bb", "https://bucket.aliyuncs.com/a.mp4?S=a%2Bb"),
        ("http://bucket.aliyuncs.com:80/a.mp4", "https://bucket.aliyuncs.com/a.mp4"),
        ("https://elsewhere.example:443/a.mp4", "https://elsewhere.example/a.mp4"),
    ],
)
def test_public_results_are_fetched_over_https(url, asked):
    """Plain http of the service's own hosts is upgraded; a signature is never re-quoted."""
    assert str(PUBLIC.admit(URL(url, encoded=True))) == asked


@pytest.mark.parametrize(
    "url",
    [
        "http://elsewhere.example/a.mp4",
        "http://aliyuncs.com.evil.example/a.mp4",
        "http://evilaliyuncs.com/a.mp4",
        "http://bucket.aliyuncs.com:8080/a.mp4",
        "https://bucket.aliyuncs.com:8443/a.mp4",
        "https://127.0.0.1/a.mp4",
        "https://[::ffff:127.0.0.1]/a.mp4",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/a.mp4",
    ],
)
def test_a_public_service_cannot_lead_inside(url):
    """Plain http elsewhere, odd ports and internal hosts are refused before any connection."""
    with pytest.raises(AddressRefused):
        PUBLIC.admit(URL(url))


@pytest.mark.parametrize("policy", [PUBLIC, PRIVATE])
@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://host/a.mp4",
        "data:video/mp4;base64,AAAA",
        "/a.mp4",
        "",
        "https://user:pw@host/a.mp4",
        "https://user@host/a.mp4",
    ],
)
def test_other_schemes_and_user_names_are_always_refused(policy, url):
    """Nobody's result comes from a file, and no password goes to a host."""
    with pytest.raises(AddressRefused) as caught:
        policy.admit(URL(url))
    assert "pw" not in str(caught.value)


def test_a_private_service_may_use_any_port_and_plain_http():
    """The sandbox's results are fetched as it names them."""
    url = URL("http://127.0.0.1:8081/a.mp4")

    assert PRIVATE.admit(url) == url


@pytest.mark.parametrize("number", ["127.0.0.1", "10.0.0.7", "169.254.169.254"])
def test_the_connected_address_is_what_counts(number):
    """A harmless name that resolves to an internal address gets no socket."""
    with pytest.raises(AddressRefused, match="internal address"):
        PUBLIC.socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, 443)))


def test_a_mapped_or_scoped_address_gets_no_socket():
    """IPv6 spellings of internal addresses are seen through."""
    for number in ("::ffff:127.0.0.1", "fe80::1%eth0", "::1"):
        with pytest.raises(AddressRefused):
            PUBLIC.socket((socket.AF_INET6, socket.SOCK_STREAM, 6, "", (number, 443, 0, 0)))


@pytest.mark.parametrize(("policy", "number"), [(PUBLIC, "47.88.1.1"), (PRIVATE, "127.0.0.1")])
def test_an_admitted_address_gets_a_socket(policy, number):
    """Public addresses, and internal ones of a private service, are connected to."""
    with policy.socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, 443))) as made:
        assert made.family == socket.AF_INET
