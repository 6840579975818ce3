"""What went wrong below HTTP, in words.

The texts of aiohttp's exceptions hold the signed URL and, in their ``repr``, the key's header
(measured with aiohttp 3.14). Nothing here quotes them: the words are chosen by the exception's
type, and the only foreign text let through is the operating system's.
"""

from __future__ import annotations

import errno

import aiohttp

FAILURES = (aiohttp.ClientError, TimeoutError, OSError)
"""Everything that a request may raise through no fault of ours (ssl.SSLError is an OSError)."""

_OUT_OF_HANDLES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

# The first match counts, so subclasses stand before their bases.
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ClientConnectorDNSError, "the name {host} was not found"),
    (aiohttp.ClientConnectorSSLError, "the TLS handshake with {host} failed"),
    (aiohttp.ConnectionTimeoutError, "no connection to {host} in time"),
    (aiohttp.ServerDisconnectedError, "{host} closed the connection without an answer"),
    (aiohttp.ClientPayloadError, "the answer of {host} was cut short"),
    (aiohttp.ClientResponseError, "what {host} answered is not HTTP"),
    (aiohttp.InvalidURL, "{host} is not a host name that can be asked for"),
    (TimeoutError, "{host} fell silent"),
    (OSError, "the connection to {host} broke"),
)


def describe(error: BaseException, host: str) -> str:
    """One clause about a failed request, free of secrets."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = getattr(error.certificate_error, "verify_message", "") or "it is for another host"
        return (
            f"the certificate of {host} is not accepted: {why} "
            "(SSL_CERT_FILE names a file of further authorities to trust)"
        )
    if type(error) is aiohttp.ClientConnectorError:
        return f"cannot connect to {host}: {error.os_error.strerror or 'refused'}"
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words.format(host=host)
    return f"the exchange with {host} failed"


def out_of_handles(error: BaseException) -> bool:
    """Whether this machine, not the network, lacked something for one more connection."""
    return isinstance(error, OSError) and error.errno in _OUT_OF_HANDLES
