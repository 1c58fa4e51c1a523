from __future__ import annotations

import socket
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509

from certificates import CertificateFiles, make_certificate, tls_port
from hashpact_node import clock
from hashpact_node.net.addresses import AddressRules
from hashpact_node.net.certificates import shown_certificate
from hashpact_protocol.errors import FetchError, FetchRefusedError

LOOPBACK = AddressRules((ip_network("127.0.0.0/8"),))
GENEROUS_SECONDS = 30.0


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    return make_certificate(tmp_path / "tls", begins=clock.now() - timedelta(hours=1))


def test_a_certificate_that_is_trusted(files: CertificateFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(files.certificate))
    with tls_port(files) as port:
        shown = shown_certificate("localhost", port, LOOPBACK, seconds=GENEROUS_SECONDS)
    assert shown.refused is None
    assert x509.load_der_x509_certificate(shown.der) == files.loaded


def test_a_certificate_that_nobody_vouches_for_is_shown_all_the_same(files: CertificateFiles) -> None:
    with tls_port(files) as port:
        shown = shown_certificate("localhost", port, LOOPBACK, seconds=GENEROUS_SECONDS)
    assert shown.refused is not None
    assert "self" in shown.refused
    assert x509.load_der_x509_certificate(shown.der) == files.loaded


def test_a_certificate_of_another_host_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = make_certificate(tmp_path / "other", begins=clock.now() - timedelta(hours=1), names=["beta.example"])
    monkeypatch.setenv("SSL_CERT_FILE", str(files.certificate))
    with tls_port(files) as port:
        assert "ostname" in (shown_certificate("localhost", port, LOOPBACK, seconds=GENEROUS_SECONDS).refused or "")


def test_who_speaks_no_tls_or_does_not_answer_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(FetchError, match="no certificate is shown"):
            shown_certificate("127.0.0.1", port, LOOPBACK, seconds=0.2)
    with pytest.raises(FetchError, match="no certificate is shown"):
        shown_certificate("127.0.0.1", port, LOOPBACK, seconds=GENEROUS_SECONDS)


def test_addresses_are_checked() -> None:
    with pytest.raises(FetchRefusedError):
        shown_certificate("192.168.1.5", 443, AddressRules(), seconds=1)
