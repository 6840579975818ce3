"""Which addresses a result may be fetched from, and an input uploaded to.

Such an address comes from outside, so it must not lead into the network of this machine. The
spelling is checked before a connection, and again for each redirection; the numeric address is
checked when the socket is made, after every name has been resolved, so a name that resolves to
an internal address is refused too, whatever it resolved to a moment before.

If, and only if, the service itself is private (a sandbox on this machine), private hosts, plain
http and other ports are accepted. A user name or password never is.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import ip_address

from aiohappyeyeballs import AddrInfoType
from yarl import URL

from batchgen.dashscope.endpoint import is_internal, is_private_host

# One documented sample is plain http (Wan 2.2 speech to video); these hosts all speak https.
_SERVICE_SUFFIX = ".aliyuncs.com"


class AddressRefused(OSError):
    """An address that is not followed; the text names the host alone.

    An OSError, so that of a host with several addresses the next one is tried.
    """


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    private_ok: bool
    what: str = "result"
    """What the address is of, in the words of a refusal."""

    def admit(self, url: URL) -> URL:
        """The address to ask, upgraded to https where needed; raises AddressRefused."""
        host = url.host
        if url.scheme not in {"http", "https"} or not host:
            raise AddressRefused(f"the {self.what} address has the scheme {url.scheme or '(none)'}")
        if url.raw_user is not None or url.raw_password is not None:
            raise AddressRefused(f"the {self.what} address at {host} has a user name in it")
        if self.private_ok:
            return url
        return self._public(url, host)

    def _public(self, url: URL, host: str) -> URL:
        if is_private_host(host):
            raise AddressRefused(f"the {self.what} address at {host} is not public")
        if url.scheme == "http" and host.endswith(_SERVICE_SUFFIX) and url.is_default_port():
            url = url.with_port(None).with_scheme("https")
        if url.scheme != "https":
            raise AddressRefused(f"the {self.what} address at {host} is not https")
        if not url.is_default_port():
            raise AddressRefused(f"the {self.what} address at {host} has the odd port {url.port}")
        return url

    def socket(self, address: AddrInfoType) -> socket.socket:
        """A socket for a resolved address; raises AddressRefused. For ``TCPConnector``."""
        family, kind, protocol, _, target = address
        if not self.private_ok and is_internal(ip_address(target[0])):
            # The same words for each address: only then is the type kept for several of them.
            raise AddressRefused(f"the {self.what}'s host name leads to an internal address")
        return socket.socket(family, kind, protocol)
