from __future__ import annotations

import errno
import re
from pathlib import Path

from hashpact_keys import findings
from hashpact_node.services import doctor_kinds
from hashpact_node.services.doctor_kinds import KINDS, Level, diagnosis, failed, well
from hashpact_protocol.errors import TrustError


def test_every_kind_is_found_by_something_and_none_has_the_code_of_a_finding_about_keys() -> None:
    sources = list(Path(doctor_kinds.__file__).parent.glob("doctor*.py"))
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    named = set(re.findall(r'diagnosis\(\s*"([a-z-]+)"', text))
    by_choice = {"url-serves-older", "url-serves-newer"}
    assert named | by_choice == set(KINDS)
    assert not set(KINDS) & set(findings.KINDS)
    assert not [code for code, kind in KINDS.items() if kind.level is Level.OK or not kind.mend or "\n" in kind.what]


def test_what_is_not_said_is_as_the_kind_says() -> None:
    kind = KINDS["alarm-open"]
    one = diagnosis("alarm-open", where="log-stale")
    assert (one.level, one.what, one.where, one.mend) == (kind.level, kind.what, "log-stale", kind.mend)
    other = diagnosis("alarm-open", "a log is stale", mend="ask the peer", level=Level.NOTE)
    assert (other.level, other.what, other.mend) == (Level.NOTE, "a log is stale", "ask the peer")
    assert well("it is there", "here").level is Level.OK


def test_a_look_that_fails_says_why() -> None:
    error = failed(TrustError("the root is damaged", where="1.root.json", mend="restore it"))
    assert (error.code, error.what, error.where, error.mend) == (
        "check-failed",
        "the root is damaged",
        "1.root.json",
        "restore it",
    )
    other = failed(PermissionError(errno.EACCES, "Permission denied", "/secret"))
    assert (other.what, other.where, other.level) == ("Permission denied", "/secret", Level.ERROR)
