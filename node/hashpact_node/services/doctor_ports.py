"""The doctor's look at ports: what listens on the node's, and who can reach it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

from hashpact_node.services.doctor_kinds import Diagnosis, diagnosis, well
from hashpact_node.services.doctor_visit import Visit
from hashpact_node.setting_forms import is_loopback
from hashpact_node.settings import Settings

Address = IPv4Address | IPv6Address

_TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTENS: Final = "0A"
_IPV4_DIGITS: Final = 8
_PROBE_SECONDS: Final = 1.0


def check_ports(visit: Visit) -> Iterator[Diagnosis]:
    """Say what listens on the node's port, and whether others can reach it in clear."""
    settings = visit.settings
    found = list(listeners(settings.port))
    yield from judge_listeners(settings, found, running=visit.running)
    if not visit.running:
        yield diagnosis("not-running", where=str(settings.home))


def judge_listeners(settings: Settings, found: Iterable[Address], *, running: bool) -> Iterator[Diagnosis]:
    """Judge who can reach the node's port, by the settings and by the addresses at which something listens there."""
    addresses, port = sorted(set(found), key=str), settings.port
    open_to_others = [one for one in addresses if not one.is_loopback]
    for address in addresses if not running else ():
        yield diagnosis("port-taken", where=f"{address} port {port}")
    if is_loopback(settings.host):
        for address in open_to_others if running else ():
            yield diagnosis("port-open-elsewhere", where=f"{address} port {port}")
    elif settings.tls_certificate is None:
        yield diagnosis("port-in-clear", where=f"{settings.host} port {port}")
    if running and addresses and not open_to_others:
        yield well("the node's port is open on loopback only", f"port {port}")


def listeners(port: int, tables: Iterable[Path] = _TABLES) -> Iterator[Address]:
    """Give the addresses at which something listens on a TCP port, by the kernel's tables; else a probe of loopback."""
    there = [table for table in tables if table.exists()]
    if not there:
        with socket.socket() as probe:
            probe.settimeout(_PROBE_SECONDS)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                yield IPv4Address("127.0.0.1")
    for table in there:
        for line in table.read_text(encoding="ascii").splitlines()[1:]:
            _, local, _, state = line.split()[:4]
            address, _, number = local.partition(":")
            if state == _LISTENS and int(number, 16) == port:
                yield _address(address)


def _address(digits: str) -> Address:
    """Read an address as Linux writes it: words of 32 bit, each in this machine's order of bytes."""
    words = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    if len(digits) == _IPV4_DIGITS:
        return IPv4Address(packed)
    found = IPv6Address(packed)
    return found.ipv4_mapped or found
