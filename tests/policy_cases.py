"""One set of synthetic signals, on which policies are compared: what is known of each, and how each came to be so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from hashpact_protocol.facts import (
    BUCKETS,
    DAY_SECONDS,
    ClaimFacts,
    IncidentFacts,
    ListingFacts,
    LocalDecision,
    OpinionFacts,
    SignalFacts,
    Verdict,
)

NOW: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TODAY: Final = int(NOW.timestamp()) // DAY_SECONDS
INCIDENT: Final = "0f9e8d7c-6b5a-4f3e-8d2c-1b0a9f8e7d6c"
ACTIVE: Final = frozenset({IncidentFacts(INCIDENT, "attack")})


@dataclass(frozen=True, slots=True)
class Case:
    """What a signal is like, in words and as facts."""

    words: str
    facts: SignalFacts


def _listing(**said: Any) -> ListingFacts:
    told: dict[str, Any] = {
        "content": "image",
        "labels": ("producer:supporter",),
        "confirmed": "human",
        "listed": TODAY - 10,
    }
    return ListingFacts(**(told | said))


def _by(*members: str, opinions: OpinionFacts | None = None, **said: Any) -> tuple[ClaimFacts, ...]:
    claims = (ClaimFacts(member, _listing(**said), own=member == "us") for member in members)
    return tuple(replace(one, opinions=opinions) if opinions else one for one in claims)


def _doubted(*members: str, reason: str | None = None) -> OpinionFacts:
    return OpinionFacts(disagree=tuple((member, reason) for member in members))


def _case(words: str, claims: tuple[ClaimFacts, ...], *, type: str = "pdq", **known: Any) -> Case:  # noqa: A002  as facts have it
    return Case(words, SignalFacts(type, claims, bucket=BUCKETS - 1, own_member="us", **known))


_OLD: Final = TODAY - 1_500
_LATE: Final = (TODAY - 1) * DAY_SECONDS
CASES: Final = (
    _case("this company itself lists it", _by("us")),
    _case("acme lists it", _by("acme")),
    _case("acme and beta list it", _by("acme", "beta")),
    _case("acme, beta and delta list it", _by("acme", "beta", "delta")),
    _case("acme, beta and gamma list it", _by("acme", "beta", "gamma")),
    _case("newcomer lists it", _by("newcomer")),
    _case("acme listed it 1,500 days ago", _by("acme", listed=_OLD)),
    _case("acme and beta; delta disagrees", _by("acme", "beta", opinions=_doubted("delta"))),
    _case(
        "acme and beta; delta disagrees: journalism",
        _by("acme", "beta", opinions=_doubted("delta", reason="journalism")),
    ),
    _case("acme and beta; delta and gamma disagree", _by("acme", "beta", opinions=_doubted("delta", "gamma"))),
    _case("acme and beta, as a journalist's", _by("acme", "beta", labels=("producer:journalist",))),
    _case(
        "acme, a manual; beta agrees", _by("acme", labels=("behaviour:instruction",), opinions=OpinionFacts(("beta",)))
    ),
    _case(
        "the same, in the first tenth of the rollout",
        _by("acme", labels=("behaviour:instruction",), opinions=OpinionFacts(("beta",))),
    ),
    _case("acme and beta; the match has distance 20", _by("acme", "beta"), distance=20),
    _case("acme and beta; the match has distance 30", _by("acme", "beta"), distance=30),
    _case("acme and beta; its review_by has passed", _by("acme", "beta", review_by=_LATE)),
    _case("acme, of an incident that is only proposed", _by("acme", incident=INCIDENT)),
    _case("acme, of an incident that is active", _by("acme", incident=INCIDENT), incidents=ACTIVE),
    _case(
        "acme, a perpetrator's own film, in the log of crises",
        tuple(
            replace(one, log_kind="crisis")
            for one in _by("acme", incident=INCIDENT, content="video", labels=("producer:attack-perpetrator",))
        ),
        type="sha256",
        incidents=ACTIVE,
    ),
    _case("acme and beta; this company rejects it", _by("acme", "beta"), decisions=(LocalDecision(Verdict.REJECT),)),
    _case("newcomer; this company confirms it", _by("newcomer"), decisions=(LocalDecision(Verdict.CONFIRM),)),
)
_ROLLED_OUT: Final = "the same, in the first tenth of the rollout"


def cases() -> tuple[Case, ...]:
    """Give the signals; one of them lies at the beginning of every rollout, all others at the end."""
    return tuple(replace(one, facts=replace(one.facts, bucket=0)) if one.words == _ROLLED_OUT else one for one in CASES)
