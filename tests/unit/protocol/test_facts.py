from __future__ import annotations

from collections import Counter

import pytest

from hashpact_protocol.facts import (
    BUCKETS,
    ClaimFacts,
    ListingFacts,
    SignalFacts,
    bucket_of,
    is_good_enough,
    listing_facts,
)
from hashpact_protocol.signals import make_signal, signal_key
from hashpact_protocol.statements import Listing

ID = "5f0c2d1e-8a4b-4c3d-9e2f-1a2b3c4d5e6f"
SIGNAL = make_signal("md5", "0" * 32)


def test_a_listing_is_boiled_down_to_what_policy_may_ask() -> None:
    listing = Listing(
        id=ID,
        time="1970-01-03T00:00:01Z",
        content="image",
        signals=(SIGNAL,),
        labels=("producer:lone-actor", "behaviour:glorification", "producer:lone-actor"),
        confirmed="human",
        handling="no-reshare",
        origin="import",
        incident=ID,
        review_by="1970-01-02T00:00:00Z",
        note="not asked for",
    )
    assert listing_facts(listing) == ListingFacts(
        "image",
        ("behaviour:glorification", "producer:lone-actor"),
        confirmed="human",
        handling="no-reshare",
        origin="import",
        incident=ID,
        listed=2,
        review_by=86_400,
    )


def test_a_listing_of_the_first_year_has_a_day_too() -> None:
    facts = listing_facts(Listing(id=ID, time="0001-01-01T00:00:00Z", content="text", signals=(SIGNAL,)))
    assert facts == ListingFacts("text", listed=-719_162)


def test_equal_facts_are_one_key() -> None:
    def facts() -> SignalFacts:
        return SignalFacts("pdq", (ClaimFacts("acme", ListingFacts("image"), quality=80),), bucket=7)

    assert len({facts(), facts()}) == 1


def test_buckets_depend_on_the_key_alone_and_are_dealt_evenly() -> None:
    keys = [signal_key("md5", f"{number:032x}") for number in range(20_000)]
    buckets = [bucket_of(key) for key in keys]
    assert buckets == [bucket_of(key) for key in keys]
    assert min(buckets) >= 0
    assert max(buckets) < BUCKETS
    tenths = Counter(bucket * 10 // BUCKETS for bucket in buckets)
    assert all(1_800 < tenths[tenth] < 2_200 for tenth in range(10))


def test_the_bucket_of_a_key_stays_what_it_was_in_earlier_versions() -> None:
    assert [bucket_of(b"\x01" + bytes([number]) * 16) for number in range(4)] == [2060, 8815, 914, 7097]


@pytest.mark.parametrize(
    ("signal_type", "quality", "good"),
    [
        ("pdq", 50, True),
        ("pdq", 49, False),
        ("pdq", None, True),
        ("md5", None, True),
        ("md5", 3, True),
        ("odd_type", None, True),
    ],
)
def test_what_is_too_poor_to_be_matched(signal_type: str, quality: int | None, *, good: bool) -> None:
    assert is_good_enough(signal_type, quality) is good
