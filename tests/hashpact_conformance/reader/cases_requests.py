"""What a reader sends: requests that it has signed (RFC 9421), so that publishers can tell who asks."""

from __future__ import annotations

import re

from hashpact_conformance import clock
from hashpact_conformance.cases import Layer, case
from hashpact_conformance.simulator.server import Asked
from hashpact_conformance.simulator.statements import listing
from hashpact_conformance.simulator.world import World

RULE = "docs/protocol.md, Requests"
COMPONENTS = {'"@method"', '"@authority"', '"@path"', '"@query"'}
INPUT = re.compile(r"[a-z*][a-z0-9_.*-]*=\(([^()]*)\)((?:;[a-z]+=(?:[0-9]+|\"[^\"]*\"))+)")
LIFETIME, SKEW = 60, 60


@case(Layer.REQUESTS, "Everything but the trust repository is asked for with a signature", RULE)
def test_signed(world: World) -> None:
    world.subject.log.append(listing(50))
    world.accepted(50)
    private = [asked for asked in world.asked() if not asked.path.startswith("/trust/")]
    assert private, "nothing but the trust repository was asked for"
    for asked in private:
        check_form(asked)


def check_form(asked: Asked) -> None:
    """See that a request is signed as the protocol has it; whose key it was is seen in the mode ``pair``."""
    found = INPUT.fullmatch(asked.headers.get("signature-input", ""))
    assert found is not None, f"{asked.path} is asked for without a signature"
    assert re.fullmatch(r"[^=]+=:[A-Za-z0-9+/]{86}==:", asked.headers.get("signature", "")), "no signature of 64 bytes"
    wanted = COMPONENTS if asked.method in {"GET", "HEAD"} else {*COMPONENTS, '"content-digest"'}
    assert set(found[1].split()) == wanted, f"{asked.path}: the signature covers {found[1]}"
    told = dict(part.split("=", 1) for part in found[2].split(";") if part)
    assert re.fullmatch('"acme/[!#-\\[\\]-~]{1,128}"', told.get("keyid", "")), f"keyid is {told.get('keyid')}"
    assert told.get("tag") == '"hashpact"', f"tag is {told.get('tag')}"
    created, expires = int(told.get("created", "0")), int(told.get("expires", "0"))
    assert 0 < expires - created <= LIFETIME, f"created={created};expires={expires}"
    assert abs(created - clock.now().timestamp()) <= 2 * SKEW, f"it was created at {created}"
