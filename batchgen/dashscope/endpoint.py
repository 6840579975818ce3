"""Where the service is and who we are: the API key and the base URL, checked before any use.

The environment variables are those of the official Python SDK (PyPI ``dashscope`` 2.0.2).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import NoReturn
from urllib.parse import SplitResult, urlsplit

from batchgen.errors import Mistake

KEY_VARIABLE = "DASHSCOPE_API_KEY"
KEY_FILE_VARIABLE = "DASHSCOPE_API_KEY_FILE_PATH"
KEY_FILE = Path(".dashscope", "api_key")

_KEY = re.compile(r"[!-~]+")
_BLANK_OR_CONTROL = re.compile(r"[\x00-\x20\x7f-\xa0]")


class Secret:
    """A value that never shows itself: ``str`` and ``repr`` are ``***``, pickling is refused."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled or copied")


def api_key(environ: Mapping[str, str], home: Path) -> Secret | None:
    """The API key from the environment, else its named file, else ``~/.dashscope/api_key``.

    None means that there is no key anywhere. Raises Mistake (without the key in it) for a named
    file that cannot be read and for a key that no header could carry.
    """
    if key := environ.get(KEY_VARIABLE, "").strip():
        return _checked(key, KEY_VARIABLE)
    if named := environ.get(KEY_FILE_VARIABLE):
        return _checked(_read_key(Path(named)), named)
    path = home / KEY_FILE
    return _checked(_read_key(path), str(path)) if path.exists() else None


def _read_key(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Mistake(f"The API key file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        # Not chained: the codec's error quotes the bytes of the file.
        raise Mistake(f"The API key file {path} is not a text file.") from None


def _checked(key: str, source: str) -> Secret | None:
    if key and not _KEY.fullmatch(key):
        raise Mistake(
            f"The API key in {source} has a space, a control or a non-ASCII character inside.",
            hint="copy the key again from the console, without its quotes and label",
        )
    return Secret(key) if key else None


def base_url(text: str) -> str:
    """The API's base URL, such as ``https://dashscope-intl.aliyuncs.com/api/v1``, without a
    trailing slash; nothing else is added or changed.

    Raises Mistake for anything that could lead the key astray: another scheme, user and password,
    a query, or plain http to a host that is not private.
    """
    parts = _split(text.strip())
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not host:
        raise _bad_url("must be written as https://HOST/api/v1")
    if "@" in parts.netloc:
        raise _bad_url("must not contain a user name or password")
    if parts.query or parts.fragment:
        raise _bad_url(f"({host}) must not have a query or a fragment")
    if parts.scheme == "http" and not is_private_host(host):
        raise _bad_url(f"({host}) must use https: plain http would show the key to the network")
    return text.strip().rstrip("/")


def _split(text: str) -> SplitResult:
    # urlsplit itself silently drops tabs and line ends: what it checks would not be what is used.
    if _BLANK_OR_CONTROL.search(text):
        raise _bad_url("has a space or a control character inside")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise _bad_url("has an unreadable host or port") from None
    return parts


def _bad_url(what: str) -> Mistake:
    return Mistake(f"The base URL {what}.")


def fingerprint(base_url: str, key: Secret) -> str:
    """What tells one host and key from another, and neither of them to anybody."""
    host = urlsplit(base_url).hostname or ""
    return hashlib.sha256(f"{host} {key.reveal()}".encode()).hexdigest()[:16]


def is_private(url: str) -> bool:
    """Whether a URL's host is this machine or an internal address, by its spelling alone (no DNS).

    Result addresses of a private service may be private, plain http and on any port.
    """
    return is_private_host(urlsplit(url).hostname or "")


def is_private_host(host: str) -> bool:
    """``localhost``, a name under it, or the literal of an address that is not public."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return is_internal(ip_address(host))
    except ValueError:
        return False


def is_internal(address: IPv4Address | IPv6Address) -> bool:
    """Loopback, link-local, private, shared, reserved or multicast: nothing a result comes from."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return not address.is_global or address.is_multicast
