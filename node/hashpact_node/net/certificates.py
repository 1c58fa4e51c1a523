"""Which certificate a server shows, and whether a peer would accept it."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

from hashpact_node.net.addresses import AddressRules
from hashpact_protocol.errors import FetchError


@dataclass(frozen=True, slots=True)
class Shown:
    """A server's certificate in DER; ``refused``: why the system's authorities do not accept it, None if they do."""

    der: bytes
    refused: str | None


def shown_certificate(host: str, port: int, rules: AddressRules, *, seconds: float) -> Shown:
    """Connect to a checked address of ``host``, and give what certificate is shown there.

    ``seconds`` is for each of at most two connections. Raises FetchError and its subclasses.
    """
    address = rules.addresses(host, port, timeout_seconds=seconds)[0]
    try:
        try:
            return Shown(_ask(host, address, port, ssl.create_default_context(), seconds), None)
        except ssl.SSLCertVerificationError as error:
            return Shown(_ask(host, address, port, _credulous(), seconds), error.verify_message)
    except OSError as error:  # ssl.SSLError and time-outs are of its kind
        raise FetchError(
            f"no certificate is shown: {error}", where=f"{host}:{port}", mend="see that TLS is spoken there"
        ) from None


def _ask(host: str, address: str, port: int, context: ssl.SSLContext, seconds: float) -> bytes:
    with (
        socket.create_connection((address, port), timeout=seconds) as plain,
        context.wrap_socket(plain, server_hostname=host) as link,
    ):
        return link.getpeercert(binary_form=True) or b""


def _credulous() -> ssl.SSLContext:
    """Give a context that believes everything: what is shown is only looked at, and nothing is sent."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
