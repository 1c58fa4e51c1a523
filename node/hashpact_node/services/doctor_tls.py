"""The doctor's look at certificates: the one that the member's URL shows, and the one that the node itself serves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509

from hashpact_node.net.certificates import shown_certificate
from hashpact_node.services.doctor_kinds import Diagnosis, Level, diagnosis, well
from hashpact_node.services.doctor_visit import ANYWHERE, LOOK_SECONDS, Visit
from hashpact_protocol.errors import FetchError

SOON: Final = timedelta(days=30)
VERY_SOON: Final = timedelta(days=7)


def check_certificates(visit: Visit) -> Iterator[Diagnosis]:
    """Say whether peers accept what is shown at the member's URL, and when it and the node's own certificate end."""
    place = visit.place
    if visit.settings.tls_certificate is not None:
        yield from judge_file(visit.settings.tls_certificate, place.host, visit.now())
    if place.scheme == "https":
        yield from _judge_shown(visit)


def _judge_shown(visit: Visit) -> Iterator[Diagnosis]:
    place = visit.place
    try:
        shown = shown_certificate(place.host, place.port, ANYWHERE, seconds=LOOK_SECONDS)
    except FetchError:
        return  # that nobody answers there is told with the URL
    if shown.refused is not None:
        what = f"peers do not accept the certificate at the member's URL: {shown.refused}"
        yield diagnosis("certificate-refused", what, where=visit.url)
        return
    yield from judge_end(x509.load_der_x509_certificate(shown.der), visit.url, visit.now())


def judge_file(path: Path, host: str, now: datetime) -> Iterable[Diagnosis]:
    """Judge the certificate in a file: the first one, as servers take it."""
    try:
        certificate = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (OSError, ValueError, IndexError) as error:
        yield diagnosis("certificate-unreadable", f"`tls_certificate` cannot be read: {error}", where=str(path))
        return
    if not names_host(certificate, host):
        yield diagnosis("certificate-of-another-host", f"this certificate does not name {host}", where=str(path))
    yield from judge_end(certificate, str(path), now)


def judge_end(certificate: x509.Certificate, where: str, now: datetime) -> Iterable[Diagnosis]:
    """Judge when a certificate ends."""
    end = certificate.not_valid_after_utc
    if end - now > SOON:
        yield well(f"its certificate ends at {end:%Y-%m-%d}", where)
        return
    level = Level.WARNING if end - now > VERY_SOON else Level.ERROR
    ends = "ends" if end > now else "ended"
    yield diagnosis(
        "certificate-ends", f"this certificate {ends} at {end:%Y-%m-%dT%H:%M:%SZ}", where=where, level=level
    )


def names_host(certificate: x509.Certificate, host: str) -> bool:
    """Say whether a certificate is for a host (RFC 9525, section 6); ``*`` stands for one label."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    try:
        return ip_address(host) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        _, _, parent = host.partition(".")
        found = {name.lower() for name in names.get_values_for_type(x509.DNSName)}
        return host in found or f"*.{parent}" in found
