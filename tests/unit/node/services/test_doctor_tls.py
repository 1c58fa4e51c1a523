from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from certificates import make_certificate, tls_port
from hashpact_node import clock
from hashpact_node.services.doctor_kinds import Diagnosis, Level
from hashpact_node.services.doctor_tls import SOON, VERY_SOON, check_certificates, judge_end, judge_file, names_host
from hashpact_node.services.doctor_visit import Visit
from hashpact_node.settings import Settings
from own_member import NOW

SECOND = timedelta(seconds=1)


def told(found: list[Diagnosis]) -> list[tuple[str, str]]:
    return [(one.level.value, one.code) for one in found]


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (SOON + SECOND, ("ok", "ok")),
        (SOON, ("warning", "certificate-ends")),
        (VERY_SOON + SECOND, ("warning", "certificate-ends")),
        (VERY_SOON, ("error", "certificate-ends")),
        (-SECOND, ("error", "certificate-ends")),
    ],
)
def test_when_a_certificate_ends(tmp_path: Path, left: timedelta, expected: tuple[str, str]) -> None:
    files = make_certificate(tmp_path / "tls", begins=NOW - timedelta(days=1), lasts=timedelta(days=1) + left)
    found = list(judge_end(files.loaded, "https://acme.example", NOW))
    assert told(found) == [expected]
    assert ("ended" in found[0].what) == (left < timedelta(0))


@pytest.mark.parametrize(
    ("names", "addresses", "host", "expected"),
    [
        (["acme.example"], [], "acme.example", True),
        (["ACME.example"], [], "acme.example", True),
        (["*.example"], [], "acme.example", True),
        (["*.example"], [], "hash.acme.example", False),
        (["beta.example"], ["192.0.2.1"], "acme.example", False),
        (["beta.example"], ["192.0.2.1"], "192.0.2.1", True),
        (["192.0.2.1"], [], "192.0.2.1", False),
        ([], [], "acme.example", False),
    ],
)
def test_names(tmp_path: Path, *, names: list[str], addresses: list[str], host: str, expected: bool) -> None:
    files = make_certificate(tmp_path / "tls", begins=NOW, names=names, addresses=addresses)
    assert names_host(files.loaded, host) is expected


def test_the_node_s_own_certificate_is_read(tmp_path: Path) -> None:
    files = make_certificate(tmp_path / "tls", begins=NOW, names=["acme.example"])
    assert told(list(judge_file(files.certificate, "acme.example", NOW))) == [("ok", "ok")]
    assert told(list(judge_file(files.certificate, "beta.example", NOW))) == [
        ("error", "certificate-of-another-host"),
        ("ok", "ok"),
    ]
    for unfit in (files.key, tmp_path / "none"):
        assert told(list(judge_file(unfit, "acme.example", NOW))) == [("error", "certificate-unreadable")]


def test_what_the_member_s_url_shows_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = make_certificate(tmp_path / "tls", begins=clock.now() - SECOND, lasts=timedelta(days=20))
    with tls_port(files) as port:
        settings = Settings(home=tmp_path, member="acme", url=f"https://localhost:{port}")
        visit = Visit(settings, clock.now, None, None)
        (refused,) = check_certificates(visit)
        assert (refused.level, refused.code, refused.where) == (Level.ERROR, "certificate-refused", settings.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(files.certificate))
        assert told(list(check_certificates(visit))) == [("warning", "certificate-ends")]
        both = replace(visit, settings=replace(settings, tls_certificate=files.certificate, tls_key=files.key))
        assert told(list(check_certificates(both))) == [("warning", "certificate-ends")] * 2
    assert list(check_certificates(visit)) == []  # nobody answers there, which is told with the URL


def test_a_url_without_tls_shows_none(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, member="acme", url="http://127.0.0.1:9")
    assert list(check_certificates(Visit(settings, lambda: NOW, None, None))) == []
