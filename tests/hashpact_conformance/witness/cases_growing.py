"""What a witness cosigns: logs that only grow, each from the size that it cosigned last."""

from __future__ import annotations

import base64

import pytest

from hashpact_conformance import clock
from hashpact_conformance.cases import Layer, case
from hashpact_conformance.simulator.keys import Key
from hashpact_conformance.simulator.log import Witness as Cosigner
from hashpact_conformance.simulator.log import forged
from hashpact_conformance.witness.asking import MONITORING, RULE, SIZE_TYPE, Witness
from hashpact_conformance.witness.tree import Tree, request
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import EMPTY_ROOT
from hashpact_protocol.notes import parse_note, verify_note

HASH = base64.b64encode(bytes(32)).decode()


@case(Layer.WITNESS, "A first checkpoint is cosigned", RULE)
def test_first(witness: Witness, tree: Tree) -> None:
    witness.cosigned(tree.body(0, 5))


@case(Layer.WITNESS, "The answer is nothing but signature lines", RULE)
def test_answer_form(witness: Witness, tree: Tree) -> None:
    text = witness.expect(200, tree.body(0, 5)).content.decode()
    assert text.endswith("\n"), "the answer does not end in a newline"
    lines = text.removesuffix("\n").split("\n")
    assert all(line.startswith("\u2014 ") for line in lines), f"the answer holds {lines}"
    assert any(line.startswith(f"\u2014 {witness.key.name} ") for line in lines), "no line bears the witness's name"


@case(Layer.WITNESS, "The cosignature bears the time, within 5 minutes", RULE)
def test_time(witness: Witness, tree: Tree) -> None:
    off = clock.now().timestamp() - witness.cosigned(tree.body(0, 5)).timestamp
    assert abs(off) <= LIMITS.clock_skew_seconds, f"the cosignature is {off:.0f} s old"


@case(Layer.WITNESS, "A log may grow from {old} to {new} entries", RULE)
@pytest.mark.parametrize(
    ("old", "new"), [(1, 2), (3, 7), (4, 8), (7, 8), (255, 256), (256, 257), (256, 512), (300, 1_000)]
)
def test_growth(witness: Witness, tree: Tree, old: int, new: int) -> None:
    witness.cosigned(tree.body(0, old))
    witness.cosigned(tree.body(old, new))


@case(Layer.WITNESS, "The same checkpoint is cosigned anew when its size is told as the old one", RULE)
def test_same_again(witness: Witness, tree: Tree) -> None:
    first = witness.cosigned(tree.body(0, 5))
    assert witness.cosigned(tree.body(5, 5)).timestamp >= first.timestamp


@case(Layer.WITNESS, "An empty log is cosigned, and may grow from there", RULE)
def test_empty(witness: Witness, tree: Tree) -> None:
    witness.cosigned(tree.body(0, 0))
    witness.cosigned(tree.body(0, 3))


@case(Layer.WITNESS, "A size of 0 with another root than the empty tree's is a 422", RULE)
def test_empty_with_root(witness: Witness, tree: Tree) -> None:
    witness.expect(422, request(0, [], tree.note(0, root=bytes(32))))
    assert tree.root(0) == EMPTY_ROOT


@case(Layer.WITNESS, "Extension lines are cosigned with the rest", RULE)
def test_extensions(witness: Witness, tree: Tree) -> None:
    text = tree.text(5, extensions=("more of it",))
    witness.cosigned(request(0, [], tree.member.note(tree.log, text=text)))


@case(Layer.WITNESS, "Signatures by unknown keys are ignored", RULE)
def test_unknown_signatures(witness: Witness, tree: Tree) -> None:
    stranger = Cosigner("stranger.example/witness-1", Key())
    line = stranger.cosign(tree.text(5), clock.now())
    witness.cosigned(request(0, [], tree.note(5, more=[line, forged(line)])))


@case(Layer.WITNESS, "Sixteen signatures are taken", "docs/protocol.md, Logs: checkpoints")
def test_sixteen(witness: Witness, tree: Tree) -> None:
    witness.cosigned(request(0, [], signed_by_many(tree, LIMITS.note_signatures_max)))


@case(Layer.WITNESS, "Seventeen signatures are refused", "docs/protocol.md, Logs: checkpoints")
def test_seventeen(witness: Witness, tree: Tree) -> None:
    witness.expect({400, 403}, request(0, [], signed_by_many(tree, LIMITS.note_signatures_max + 1)))


def signed_by_many(tree: Tree, count: int) -> bytes:
    own = len(parse_note(tree.note(5)).signatures)
    strangers = [Cosigner(f"stranger-{number}.example/witness-1", Key()) for number in range(count - own)]
    return tree.note(5, more=[one.cosign(tree.text(5), clock.now()) for one in strangers])


@case(Layer.WITNESS, "An old size of {told} where 5 was cosigned is a 409 that tells 5", RULE)
@pytest.mark.parametrize("told", [0, 3, 6, 8])
def test_conflict(witness: Witness, tree: Tree, told: int) -> None:
    witness.cosigned(tree.body(0, 5))
    answer = witness.expect(409, tree.body(told, 8))
    assert witness.held(answer) == 5, f"it tells {answer.text!r}"
    found = answer.headers.get("content-type", "").partition(";")[0].strip()
    assert found == SIZE_TYPE, f"the 409 is of the type {found!r}"


@case(Layer.WITNESS, "An old size where nothing was cosigned yet is a 409 that tells 0", RULE)
def test_conflict_with_nothing(witness: Witness, tree: Tree) -> None:
    answer = witness.expect(409, tree.body(3, 5))
    assert witness.held(answer) == 0, f"it tells {answer.text!r}"


@case(Layer.WITNESS, "A replayed request is a 409 with the size that is held", RULE)
def test_replay(witness: Witness, tree: Tree) -> None:
    first, second = tree.body(0, 5), tree.body(5, 9)
    witness.cosigned(first)
    witness.cosigned(second)
    for replay in (first, second):
        assert witness.held(witness.expect(409, replay)) == 9


@case(Layer.WITNESS, "A smaller checkpoint is never cosigned after a larger one", RULE)
def test_smaller(witness: Witness, tree: Tree) -> None:
    witness.cosigned(tree.body(0, 9))
    witness.expect(409, tree.body(5, 5))
    witness.expect(409, tree.body(0, 5))


@case(Layer.WITNESS, "An old size above the checkpoint's is a 400", RULE)
def test_old_above(witness: Witness, tree: Tree) -> None:
    witness.cosigned(tree.body(0, 9))
    witness.expect(400, request(9, [], tree.note(5)))


@case(Layer.WITNESS, "The same size with another root is a 422: two stories", RULE)
def test_same_size_other_root(witness: Witness, tree: Tree) -> None:
    witness.cosigned(tree.body(0, 5))
    witness.expect(422, request(5, [], tree.other_story().note(5)))


@case(Layer.WITNESS, "Another story is a 422, though a proof of its own comes with it", RULE)
def test_other_story(witness: Witness, tree: Tree) -> None:
    witness.cosigned(tree.body(0, 5))
    witness.expect(422, tree.other_story().body(5, 9))


@case(Layer.WITNESS, "A proof that is {fault} is a 422", RULE)
@pytest.mark.parametrize("fault", ["empty", "short", "long", "altered", "backwards", "of zeros"])
def test_wrong_proof(witness: Witness, tree: Tree, fault: str) -> None:
    witness.cosigned(tree.body(0, 6))
    proof = tree.proof(6, 11)
    altered = base64.b64encode(bytes([base64.b64decode(proof[0])[0] ^ 1]) + base64.b64decode(proof[0])[1:]).decode()
    wrong = {
        "empty": [],
        "short": proof[:-1],
        "long": [*proof, HASH],
        "altered": [altered, *proof[1:]],
        "backwards": proof[::-1],
        "of zeros": [HASH] * len(proof),
    }[fault]
    witness.expect(422, request(6, wrong, tree.note(11)))


@case(Layer.WITNESS, "A proof where the old size is 0 is a 422", RULE)
def test_proof_from_nothing(witness: Witness, tree: Tree) -> None:
    witness.expect(422, request(0, [HASH], tree.note(5)))


@case(Layer.WITNESS, "A proof between equal sizes is a 422", RULE)
def test_proof_to_itself(witness: Witness, tree: Tree) -> None:
    witness.cosigned(tree.body(0, 5))
    witness.expect(422, request(5, [HASH], tree.note(5)))


@case(Layer.WITNESS, "More than 63 proof lines are refused", RULE)
def test_many_proof_lines(witness: Witness, tree: Tree) -> None:
    witness.cosigned(tree.body(0, 5))
    witness.expect({400, 413, 422}, request(5, [HASH] * 64, tree.note(9)))


@case(Layer.WITNESS, "What was refused leaves no trace: the log goes on from where it was", RULE)
def test_refusals_leave_no_trace(witness: Witness, tree: Tree) -> None:
    witness.cosigned(tree.body(0, 5))
    other = tree.other_story()
    witness.expect(422, other.body(5, 9))
    witness.expect(422, request(5, [], other.note(5)))
    witness.expect(403, request(5, [], tree.member.note(tree.log, text=tree.text(9), lines=[])))
    witness.cosigned(tree.body(5, 9))


@case(Layer.WITNESS, "Logs do not touch each other", RULE)
def test_logs_apart(witness: Witness, tree: Tree, other: Tree) -> None:
    witness.cosigned(tree.body(0, 5))
    witness.cosigned(other.body(0, 3))
    witness.cosigned(tree.body(5, 6))
    witness.cosigned(other.body(3, 4))


@case(Layer.WITNESS, "Of a log that it never cosigned a witness shows nothing: 404", MONITORING)
def test_monitoring_nothing(witness: Witness, silent: Tree) -> None:
    answer = witness.monitored(silent.log.origin)
    assert answer.status_code == 404, f"it answers {answer.status_code}"


@case(Layer.WITNESS, "A witness shows what it cosigned, with its own cosignature and the log's signature", MONITORING)
def test_monitoring(witness: Witness, tree: Tree) -> None:
    witness.cosigned(tree.body(0, 5))
    answer = witness.monitored(tree.log.origin)
    assert answer.status_code == 200, f"it answers {answer.status_code}"
    note = parse_note(answer.content)
    assert note.text == tree.text(5), f"it shows {note.text!r}"
    signers = verify_note(note, [witness.key, tree.log.verifier()])
    assert set(signers) == {witness.key, tree.log.verifier()}, f"it is signed by {[str(one) for one in signers]}"


@case(Layer.WITNESS, "What a witness shows is never something that it refused", MONITORING)
def test_monitoring_after_refusal(witness: Witness, tree: Tree) -> None:
    witness.cosigned(tree.body(0, 5))
    witness.expect(422, tree.other_story().body(5, 9))
    assert parse_note(witness.monitored(tree.log.origin).content).text == tree.text(5)
