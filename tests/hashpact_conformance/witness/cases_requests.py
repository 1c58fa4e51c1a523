"""Whom a witness listens to: members, by requests that they have signed (RFC 9421)."""

from __future__ import annotations

from hashpact_conformance.cases import Layer, case
from hashpact_conformance.signing import Credentials
from hashpact_conformance.simulator.keys import Key
from hashpact_conformance.witness.asking import Witness
from hashpact_conformance.witness.tree import Tree

RULE = "docs/protocol.md, Requests"
ADD = "add-checkpoint"
UNAUTHORIZED = 401


@case(Layer.REQUESTS, "A checkpoint that comes without a signed request is a 401, and is not cosigned", RULE)
def test_unsigned(witness: Witness, tree: Tree) -> None:
    answer = witness.ask_with({}, "POST", ADD, tree.body(0, 5))
    assert answer.status_code == UNAUTHORIZED, f"it answers {answer.status_code}"
    witness.cosigned(tree.body(0, 5))


@case(Layer.REQUESTS, "A request signed by another key under a member's name is a 401", RULE)
def test_forged(witness: Witness, tree: Tree) -> None:
    body = tree.body(0, 5)
    stranger = Credentials(tree.member.id, f"{tree.member.id}-request-1", Key().sign)
    answer = witness.ask_with(stranger.fields("POST", f"{witness.url}/{ADD}", body), "POST", ADD, body)
    assert answer.status_code == UNAUTHORIZED, f"it answers {answer.status_code}"
    witness.cosigned(body)
