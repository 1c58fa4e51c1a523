from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hashpact_node.index.scan import ScanIndex
from hashpact_node.services import matching
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.deciding import Choice, Deciding
from hashpact_node.services.hashing import HashedFile, hash_stream
from hashpact_node.services.index_feed import PDQ, IndexFeed
from hashpact_node.services.matching import QUERIES_MAX, Matcher, strongest
from hashpact_node.store.database import Database
from hashpact_node.store.judging import number_rules, set_policy
from hashpact_protocol.errors import RequestError, SignalError
from hashpact_protocol.facts import Verdict
from hashpact_protocol.recommendations import Recommendation
from hashpact_protocol.signals import Signal, make_signal
from members import NOW, TestLog, add_log, listing, pdq, sha256, uuid_of, withdrawal

TLSH = "T1" + "A0" * 35


@pytest.fixture
def acme(database: Database) -> TestLog:
    return add_log(database, "acme", own=True)


@pytest.fixture
def beta(database: Database) -> TestLog:
    return add_log(database, "beta")


@pytest.fixture
def matcher(database: Database) -> Matcher:
    return Matcher(database, IndexFeed(database, ScanIndex(PDQ.code)), lambda: NOW)


def query(signal: Signal) -> tuple[str, str]:
    return signal.type, signal.value


def bits(count: int) -> int:
    """Give a number with that many bits."""
    return (1 << count) - 1


def test_equal_hashes_match(matcher: Matcher, acme: TestLog, beta: TestLog) -> None:
    beta.append(listing(1, sha256(1), labels=["b"]))
    beta.append(listing(2, sha256(2)))
    acme.append(listing(3, sha256(2), labels=["a"]))
    first, second, none = matcher.match([query(sha256(1)), query(sha256(2)), query(sha256(3))])
    assert (first.action, first.compared) == ("review", "exact")
    (hit,) = first.hits
    assert (hit.type, hit.value, hit.distance) == (*query(sha256(1)), 0)
    assert (hit.rule, hit.publishers, hit.labels) == ("one-member", ("beta",), ("b",))
    assert [claim.listing for claim in hit.claims] == [uuid_of(1)]
    assert (second.action, second.hits[0].publishers) == ("block", ("acme", "beta"))
    assert (none.action, none.hits) == ("none", ())


def test_pdq_matches_within_its_distance_the_nearest_first(matcher: Matcher, acme: TestLog, beta: TestLog) -> None:
    acme.append(listing(1, pdq(bits(31))), listing(2, pdq(bits(32))))
    beta.append(listing(1, pdq(bits(3))), listing(2, pdq(bits(5), 49)))
    (result,) = matcher.match([query(pdq(0))])
    assert [(hit.value, hit.distance, hit.action) for hit in result.hits] == [
        (pdq(bits(3)).value, 3, "review"),
        (pdq(bits(31)).value, 31, "block"),
    ]
    assert (result.action, result.compared) == ("block", "pdq")


def test_what_is_withdrawn_matches_no_more(matcher: Matcher, acme: TestLog) -> None:
    acme.append(listing(1, pdq(1), sha256(1)))
    asked = [query(pdq(1)), query(sha256(1))]
    assert [result.action for result in matcher.match(asked)] == ["block", "block"]
    acme.append(withdrawal(2, 1))
    assert [(result.action, result.hits) for result in matcher.match(asked)] == [("none", ())] * 2


def test_claims_of_low_quality_are_in_no_match(matcher: Matcher, acme: TestLog, beta: TestLog) -> None:
    acme.append(listing(1, pdq(1, 49)))
    assert matcher.match([query(pdq(1))])[0].hits == ()
    beta.append(listing(1, pdq(1, 50)))
    for detail in (True, False):
        (hit,) = matcher.match([query(pdq(1))], detail=detail)[0].hits
        assert (hit.action, hit.publishers) == ("review", ("beta",))
        assert len(hit.claims) == detail


def test_what_has_expired_is_to_be_ignored(matcher: Matcher, acme: TestLog) -> None:
    acme.append(listing(1, pdq(1), sha256(1), expires="2026-11-24T04:30:00Z"))
    acme.clock[0] = NOW.replace(hour=5)
    acme.append(listing(2, sha256(2)))
    results = matcher.match([query(pdq(1)), query(sha256(1))])
    assert [(result.action, result.hits[0].rule) for result in results] == [("ignore", "expired-or-low-quality")] * 2
    assert all(result.hits[0].claims[0].expired for result in results)


@pytest.mark.parametrize(
    ("signal", "compared"),
    [
        (make_signal("tlsh", TLSH), "exact"),
        (make_signal("photodna", "ab" * 144), "none"),
        (make_signal("vpdq", sha256="ab" * 32, length=5), "none"),
        (make_signal("sound_print", "xyz"), "none"),
    ],
)
def test_types_without_a_matcher_here(matcher: Matcher, acme: TestLog, signal: Signal, compared: str) -> None:
    acme.append(listing(1, signal))
    (result,) = matcher.match([query(signal)])
    assert (result.compared, len(result.hits)) == (compared, compared == "exact")


def test_without_detail_action_rule_and_publishers_are_the_same(matcher: Matcher, acme: TestLog, beta: TestLog) -> None:
    acme.append(listing(1, pdq(1), sha256(1)), listing(2, sha256(2), labels=["a"]))
    beta.append(listing(1, pdq(3), sha256(1)))
    asked = [query(pdq(1)), query(sha256(1)), query(sha256(2)), query(sha256(4)), query(sha256(1))]
    full, brief = matcher.match(asked), matcher.match(asked, detail=False)
    for one, other in zip(full, brief, strict=True):
        assert (one.type, one.value, one.compared, one.action) == (
            other.type,
            other.value,
            other.compared,
            other.action,
        )
        for hit, short in zip(one.hits, other.hits, strict=True):
            assert (hit.value, hit.distance, hit.action, hit.rule) == (
                short.value,
                short.distance,
                short.action,
                short.rule,
            )
            assert hit.publishers == short.publishers
            assert (short.labels, short.claims) == ((), ())


def test_a_flood_of_claims_is_cut(matcher: Matcher, acme: TestLog, beta: TestLog) -> None:
    beta.append(*(listing(number, sha256(1), labels=[f"b{number:03}"]) for number in range(1, 151)))
    acme.append(listing(1, sha256(1), sha256(2), labels=["a"]))
    (hit,) = matcher.match([query(sha256(1))])[0].hits
    assert (hit.action, hit.publishers, hit.claims_total, len(hit.claims)) == ("block", ("acme", "beta"), 151, 100)
    assert {"a", "b001", "b150"} <= set(hit.labels)
    (brief,) = matcher.match([query(sha256(1))], detail=False)[0].hits
    assert (brief.action, brief.publishers, brief.claims_total, brief.claims) == ("block", ("acme", "beta"), 0, ())


def test_a_batch_reads_a_bounded_number_of_claims(
    matcher: Matcher, beta: TestLog, acme: TestLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "BATCH_CLAIMS", 4)
    beta.append(*(listing(number, sha256(1), sha256(2)) for number in range(1, 6)))
    assert acme.row.held_size == 0
    asked = [query(sha256(number)) for number in (1, 2, 1)]
    assert [(len(one.hits[0].claims), one.hits[0].claims_total) for one in matcher.match(asked)] == [(2, 5)] * 3


def test_a_flood_of_near_hashes_hides_no_action(matcher: Matcher, acme: TestLog, beta: TestLog) -> None:
    acme.append(listing(1, pdq(bits(31))))
    beta.append(*(listing(number, pdq(number)) for number in range(1, 151)))
    (result,) = matcher.match([query(pdq(0))])
    assert (result.action, len(result.hits), result.more) == ("block", 100, True)
    assert result.hits[-1].value == pdq(bits(31)).value
    distances = [hit.distance for hit in result.hits]
    assert distances == sorted(distances)
    assert not matcher.match([query(pdq(bits(31) << 200))])[0].more


def test_a_malformed_query_is_named(matcher: Matcher) -> None:
    with pytest.raises(SignalError) as refused:
        matcher.match([query(sha256(1)), ("sha256", "AB" * 32)])
    assert refused.value.where == "queries[1].value"
    with pytest.raises(SignalError) as refused:
        matcher.match([("SHA", "00")])
    assert refused.value.where == "queries[0].type"


def test_a_batch_has_a_cap(matcher: Matcher, acme: TestLog) -> None:
    assert len(matcher.match([query(sha256(1))] * QUERIES_MAX)) == QUERIES_MAX
    assert matcher.match([]) == []
    with pytest.raises(RequestError, match="at most 1000"):
        matcher.match([query(sha256(1))] * (QUERIES_MAX + 1))
    assert acme.row.held_size == 0


def test_the_strongest_action_is_told() -> None:
    assert strongest(["ignore", "observe", "review", "block", "none"]) == "block"
    assert strongest(["ignore", "observe", "review"]) == "review"
    assert strongest(["ignore", "observe"]) == "observe"
    assert strongest([]) == "none"


def hashed(data: bytes) -> HashedFile:
    return hash_stream(io.BytesIO(data), name="x.png")


def _picture(seed: int, *, flat: bool = False) -> bytes:
    small = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    picture = Image.new("RGB", (128, 128)) if flat else Image.fromarray(small).resize((128, 128))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def test_a_file_matches_by_each_of_its_hashes(matcher: Matcher, acme: TestLog) -> None:
    data = _picture(1)
    near = next(signal for signal in hashed(data).signals if signal.type == "pdq")
    acme.append(listing(1, near))
    found = matcher.match_file(hashed(data))
    assert (found.action, found.file.content) == ("block", "image")
    assert {result.type: result.action for result in found.results} == {"pdq": "block", "sha256": "none"}
    assert matcher.match_file(hashed(_picture(2))).action == "none"


def test_a_picture_that_says_nothing_is_not_matched_by_pdq(matcher: Matcher, acme: TestLog) -> None:
    data = _picture(1, flat=True)
    acme.append(listing(1, pdq(0)), listing(2, make_signal("sha256", hashlib.sha256(data).hexdigest())))
    found = matcher.match_file(hashed(data))
    assert found.file.notices
    assert {result.type: (result.compared, result.action) for result in found.results} == {
        "pdq": ("none", "none"),
        "sha256": ("exact", "block"),
    }


def decide(matcher: Matcher, verdict: Verdict, signal: Signal, **fields: Any) -> None:
    choice = Choice(verdict, f"{signal.type}:{signal.value}", "ours", **fields)
    Deciding(matcher.database, lambda: NOW).decide(choice, Actor(ActorKind.COMMAND, "joe"))


@pytest.mark.usefixtures("acme")
def test_what_was_decided_about_what_is_asked_beats_what_lies_near(matcher: Matcher, beta: TestLog) -> None:
    """Nobody lists our trailer; beta lists something that looks like it."""
    beta.append(listing(1, pdq(bits(4))))
    decide(matcher, Verdict.ALLOW, pdq(0))
    (allowed, other) = matcher.match([query(pdq(0)), query(pdq(1))])
    assert (allowed.action, allowed.decided, [hit.action for hit in allowed.hits]) == (
        "ignore",
        "allowed-here",
        ["review"],
    )
    assert (other.action, other.decided) == ("review", None)
    decide(matcher, Verdict.CONFIRM, pdq(1))
    assert matcher.match([query(pdq(1))])[0].action == "block"
    decide(matcher, Verdict.REJECT, pdq(0b11), scope=("beta",))
    assert matcher.match([query(pdq(0b11))])[0].decided is None, "it is about beta's claims of it, and there are none"
    decide(matcher, Verdict.ALLOW, sha256(9))
    (nothing,) = matcher.match([query(sha256(9))])
    assert (nothing.action, nothing.decided) == ("none", "allowed-here")


@pytest.mark.usefixtures("acme")
def test_a_decision_about_the_very_file_is_that_of_the_file(matcher: Matcher, beta: TestLog) -> None:
    data = _picture(1)
    near, exact = (next(one for one in hashed(data).signals if one.type == kind) for kind in ("pdq", "sha256"))
    beta.append(listing(1, near))
    assert matcher.match_file(hashed(data)).action == "review"
    decide(matcher, Verdict.CONFIRM, near)
    assert matcher.match_file(hashed(data)).action == "block"
    decide(matcher, Verdict.ALLOW, exact)
    assert matcher.match_file(hashed(data)).action == "ignore"
    assert matcher.match_file(hashed(_picture(2))).action == "none"


NO_LIVE = Recommendation("no live streaming", frozenset({"livestream"}), labels=("threat:*",))


def recommending(matcher: Matcher, *ones: Recommendation) -> Matcher:
    return Matcher(matcher.database, matcher.index_feed, matcher.now, lambda: ones)


def test_what_the_policy_recommends_goes_by_surface_and_by_labels_of_the_strongest_hits(
    matcher: Matcher, acme: TestLog, beta: TestLog
) -> None:
    acme.append(listing(1, sha256(1), pdq(1), labels=["threat:x"]), listing(2, sha256(2), labels=["other"]))
    beta.append(listing(3, sha256(3), labels=["threat:x"]), listing(4, pdq(3), labels=["threat:y"]))
    wanting = recommending(matcher, NO_LIVE, Recommendation("look again", actions=frozenset({"review"})))
    asked = [query(one) for one in (sha256(1), sha256(2), sha256(3), sha256(4))]
    live, seen = wanting.match(asked, surface="livestream"), wanting.match(asked)
    assert [one.recommendation for one in live] == ["no live streaming", None, "look again", None]
    assert [one.recommendation for one in seen] == [None, None, "look again", None]
    assert [one.recommendation for one in matcher.match(asked, surface="livestream")] == [None] * 4
    # Whatever is near is weighed by the strongest action, and so by the labels of those that have it.
    (near,) = recommending(matcher, Recommendation("y", labels=("threat:y",))).match([query(pdq(1))])
    assert (near.action, len(near.hits), near.recommendation) == ("block", 2, None)


def test_labels_are_looked_at_and_not_told_where_no_detail_is_asked_for(matcher: Matcher, acme: TestLog) -> None:
    acme.append(listing(1, sha256(1), labels=["threat:x"], preserve=True))
    (found,) = recommending(matcher, NO_LIVE).match([query(sha256(1))], detail=False, surface="livestream")
    assert found.recommendation == "no live streaming"
    ((hit,), (told,)) = found.hits, matcher.match([query(sha256(1))])[0].hits
    assert (hit.labels, hit.claims_total, hit.claims, hit.preserve) == ((), 0, (), False)
    assert (told.labels, told.claims_total, told.preserve) == (("threat:x",), 1, True)


def test_a_file_has_one_recommendation(matcher: Matcher, acme: TestLog) -> None:
    file = hash_stream(io.BytesIO(b"a file"), name="a file")
    acme.append(listing(1, *file.signals))
    wanting = recommending(matcher, Recommendation("of an upload", frozenset({"upload"})))
    assert wanting.match_file(file, surface="upload").recommendation == "of an upload"
    assert wanting.match_file(file).recommendation is None


NEAR = """
[distance]
pdq = 10
[peers.beta]
distance = { pdq = 20 }
[[rule]]
name = "exact"
when = { distance_at_most = 4 }
then = "block"
[[rule]]
name = "near"
when = { distance_over = 4 }
then = "review"
"""


def test_a_match_is_judged_by_its_distance_if_the_policy_asks(matcher: Matcher, acme: TestLog, beta: TestLog) -> None:
    with matcher.database.write() as connection:
        number_rules(connection, ["exact", "near"])
        set_policy(connection, NEAR, now=int(NOW.timestamp()))
    acme.append(listing(1, pdq(bits(4))), listing(2, pdq(bits(11))))
    beta.append(listing(1, pdq(bits(5))), listing(2, pdq(bits(20))), listing(3, pdq(bits(21))))
    for detail in (True, False):
        (result,) = matcher.match([query(pdq(0))], detail=detail)
        assert [(hit.distance, hit.action, hit.rule) for hit in result.hits] == [
            (4, "block", "exact"),
            (5, "review", "near"),
            (11, "ignore", "nothing-in-scope"),
            (20, "review", "near"),
            (21, "ignore", "nothing-in-scope"),
        ]
        assert result.action == "block"
    (itself,) = matcher.match([query(pdq(bits(11)))])[0].hits[:1]
    assert (itself.distance, itself.action, itself.rule) == (0, "block", "exact")
