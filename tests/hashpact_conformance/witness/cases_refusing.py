"""What a witness refuses, and that it goes on whatever it is sent."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from hashpact_conformance.cases import Layer, case
from hashpact_conformance.simulator.keys import Key
from hashpact_conformance.simulator.log import forged
from hashpact_conformance.witness.asking import MONITORING, RULE, Witness
from hashpact_conformance.witness.tree import Tree, request
from hashpact_protocol.notes import parse_checkpoint, parse_note

HUGE = 4 * 1024 * 1024
BUSY = {429, 503}


def alive(witness: Witness, tree: Tree) -> None:
    """It still cosigns."""
    witness.cosigned(tree.body(0, 5))


@case(Layer.WITNESS, "A log that it does not know is a 404", RULE)
def test_unknown_origin(witness: Witness, tree: Tree) -> None:
    text = tree.text(5).replace(tree.log.origin.encode(), b"nobody.example/logs/listings-1")
    witness.expect(404, request(0, [], tree.member.note(tree.log, text=text)))


@case(Layer.NOTES, "A checkpoint without a signature of the log is a 403", RULE)
def test_unsigned(witness: Witness, tree: Tree) -> None:
    witness.expect(403, request(0, [], tree.member.note(tree.log, text=tree.text(5), lines=[])))
    alive(witness, tree)


@case(Layer.NOTES, "A wrong signature under a known key's name and id is a 403", RULE)
def test_forged(witness: Witness, tree: Tree) -> None:
    line = forged(tree.log.sign(tree.text(5)))
    witness.expect(403, request(0, [], tree.member.note(tree.log, text=tree.text(5), lines=[line])))
    alive(witness, tree)


@case(Layer.NOTES, "A wrong signature of a known key is a 403 even beside a right one", RULE)
def test_forged_beside(witness: Witness, tree: Tree) -> None:
    right = tree.log.sign(tree.text(5))
    witness.expect(403, request(0, [], tree.member.note(tree.log, text=tree.text(5), lines=[right, forged(right)])))
    alive(witness, tree)


@case(Layer.NOTES, "A signature of another size's checkpoint is a 403", RULE)
def test_moved_signature(witness: Witness, tree: Tree) -> None:
    line = tree.log.sign(tree.text(4))
    witness.expect(403, request(0, [], tree.member.note(tree.log, text=tree.text(5), lines=[line])))
    alive(witness, tree)


@case(Layer.NOTES, "A signature by another log's key is a 403", RULE)
def test_other_logs_key(witness: Witness, tree: Tree, other: Tree) -> None:
    line = other.log.sign(tree.text(5))
    witness.expect(403, request(0, [], tree.member.note(tree.log, text=tree.text(5), lines=[line])))
    alive(witness, tree)


@case(Layer.NOTES, "A signature by a key that nobody named, under the log's name, is a 403", RULE)
def test_strange_key(witness: Witness, tree: Tree) -> None:
    line = tree.log.sign(tree.text(5), Key())
    witness.expect(403, request(0, [], tree.member.note(tree.log, text=tree.text(5), lines=[line])))
    alive(witness, tree)


def malformed(tree: Tree, fault: str) -> bytes:
    """An honest request with one thing wrong."""
    note = tree.note(5)
    right = request(0, [], note)
    size = b"\n5\n"
    return {
        "empty": b"",
        "one newline": b"\n",
        "only an old size": b"old 0\n",
        "without the old size": b"\n" + note,
        "without the empty line": b"old 0\n" + note,
        "old 00": request("00", [], note),
        "old -1": request("-1", [], note),
        "old +0": request("+0", [], note),
        "old with a space behind": request("0 ", [], note),
        "old with two spaces": request(" 0", [], note),
        "OLD in capitals": b"OLD" + right[3:],
        "old in hex": request("0x0", [], note),
        "old of 30 digits": request("9" * 30, [], note),
        "old without a size": request("", [], note),
        "CRLF": right.replace(b"\n", b"\r\n"),
        "a proof line that is no base64": request(0, ["!!!!"], note),
        "a proof line of 31 bytes": request(0, [base64.b64encode(bytes(31)).decode()], note),
        "a proof line with a space": request(0, [" " + base64.b64encode(bytes(32)).decode()], note),
        "no UTF-8": right.replace(b"listings", b"listing\xff", 1),
        "no note": b"old 0\n\nhello\n",
        "a note without a last newline": right[:-1],
        "a size with a leading zero": right.replace(size, b"\n05\n", 1),
        "a negative size": right.replace(size, b"\n-5\n", 1),
        "a size of 2^64": right.replace(size, b"\n18446744073709551616\n", 1),
        "a root of 31 bytes": right.replace(base64.b64encode(tree.root(5)), base64.b64encode(bytes(31)), 1),
        "a NUL": right.replace(size, b"\n5\x00\n", 1),
    }[fault]


FAULTS = [
    "empty",
    "one newline",
    "only an old size",
    "without the old size",
    "without the empty line",
    "old 00",
    "old -1",
    "old +0",
    "old with a space behind",
    "old with two spaces",
    "OLD in capitals",
    "old in hex",
    "old of 30 digits",
    "old without a size",
    "CRLF",
    "a proof line that is no base64",
    "a proof line of 31 bytes",
    "a proof line with a space",
    "no UTF-8",
    "no note",
    "a note without a last newline",
    "a size with a leading zero",
    "a negative size",
    "a size of 2^64",
    "a root of 31 bytes",
    "a NUL",
]
IDS = {"old -1": "old-minus-1", "old +0": "old-plus-0"}


@case(Layer.NOTES, "A malformed request is a 400, and nothing comes of it: {fault}", RULE)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: IDS.get(fault, fault))
def test_malformed(witness: Witness, tree: Tree, fault: str) -> None:
    about_the_note = fault.startswith(("a size", "a negative", "a root", "a note", "a NUL", "no "))
    witness.expect({400, 403} if about_the_note else 400, malformed(tree, fault))
    alive(witness, tree)


@case(Layer.FETCH, "{method} is not how a checkpoint is added", RULE)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_method(witness: Witness, tree: Tree, method: str) -> None:
    answer = witness.ask(method, "add-checkpoint", tree.body(0, 5) if method == "PUT" else None)
    assert answer.status_code in {404, 405, 501}, f"it answers {answer.status_code}"
    alive(witness, tree)


@case(Layer.FETCH, "A body of 4 MiB is refused, and the witness goes on", RULE)
def test_huge_body(witness: Witness, tree: Tree) -> None:
    witness.expect({400, 403, 413}, tree.body(0, 5) + b"x" * HUGE)
    alive(witness, tree)


@case(Layer.FETCH, "A flood of wrong requests is answered each with a refusal, and the witness goes on", RULE)
def test_flood(witness: Witness, tree: Tree, other: Tree) -> None:
    wrong = request(0, [], tree.member.note(tree.log, text=tree.text(5), lines=[]))
    found = {witness.add(wrong).status_code for _ in range(60)}
    assert found <= {403} | BUSY, f"it answers {sorted(found)}"
    witness.cosigned(other.body(0, 5))


@case(Layer.FETCH, "Several requests may come over one connection", RULE)
def test_keep_alive(witness: Witness, tree: Tree) -> None:
    for old, new in pairwise(range(6)):
        witness.cosigned(tree.body(old, new))


@case(Layer.WITNESS, "Of eight requests at once from one size, no later one rolls an earlier one back", RULE)
def test_race_of_sizes(witness: Witness, tree: Tree) -> None:
    witness.cosigned(tree.body(0, 5))
    bodies = {size: tree.body(5, size) for size in range(6, 14)}
    with ThreadPoolExecutor(len(bodies)) as pool:
        answers = dict(zip(bodies, pool.map(witness.add, bodies.values()), strict=True))
    found = {size: answer.status_code for size, answer in answers.items()}
    assert set(found.values()) <= {200, 409} | BUSY, f"they are answered with {found}"
    won = [size for size, status in found.items() if status == 200]
    assert len(won) == 1, f"the sizes {won} were all cosigned from the size 5"
    assert witness.held(witness.expect(409, tree.body(0, 5))) == won[0]


@case(Layer.WITNESS, "Of two stories at once at one size, at most one is cosigned", RULE)
def test_race_of_stories(witness: Witness, tree: Tree) -> None:
    stories = [Tree(tree.member, tree.log, f"story {number}") for number in range(8)]
    bodies = [story.body(0, 6) for story in stories]
    with ThreadPoolExecutor(len(bodies)) as pool:
        found = [answer.status_code for answer in pool.map(witness.add, bodies)]
    assert set(found) <= {200, 409} | BUSY, f"they are answered with {found}"
    assert found.count(200) == 1, f"{found.count(200)} stories of one size were cosigned"


@case(Layer.WITNESS, "Of equal requests at once all that are cosigned say the same", RULE)
def test_race_of_equals(witness: Witness, tree: Tree) -> None:
    body = tree.body(0, 6)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(witness.add, [body] * 8))
    for answer in answers:
        assert answer.status_code in {200, 409} | BUSY, f"one is answered with {answer.status_code}"
        if answer.status_code == 200:
            witness.cosignature(answer, body)
        elif answer.status_code == 409:
            assert witness.held(answer) == 6
    assert any(answer.status_code == 200 for answer in answers), "none of them was cosigned"


@case(Layer.WITNESS, "What a witness shows never runs back", MONITORING)
def test_monitoring_order(witness: Witness, tree: Tree) -> None:
    seen = []
    for old, new in pairwise([0, 3, 4, 9, 20]):
        witness.cosigned(tree.body(old, new))
        seen.append(parse_checkpoint(parse_note(witness.monitored(tree.log.origin).content).text).size)
    assert seen == sorted(seen), f"it shows the sizes {seen}"


@case(Layer.FETCH, "{path} below the monitoring prefix is a 404", MONITORING)
@pytest.mark.parametrize("path", ["0" * 64, "A" * 64, "short", "..%2f.."], ids=["zeros", "upper", "short", "up"])
def test_monitoring_paths(witness: Witness, followed: object, path: str) -> None:
    del followed
    answer = witness.ask("GET", f"{path}/checkpoint")
    assert answer.status_code == 404, f"it answers {answer.status_code}"
