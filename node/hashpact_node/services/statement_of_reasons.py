"""An explanation in the form of a statement of reasons (Regulation (EU) 2022/2065, the DSA, Article 17).

``statement`` has the fields of a submission to the DSA Transparency Database as its API documentation names them
(transparency.dsa.ec.europa.eu, StatementStoreRequest of its published source), as far as this node knows what belongs
into them. The node recommends, and knows neither what the company did nor on which ground, nor whom it concerned: such
fields are left out, and ``to_add`` says what has to be put there. So what is given here is a draft for a person or a
system that knows the rest, never a whole statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hashpact_node.services.explaining_views import NOT_KEPT, ExplainedSignal, Explanation, Said

FORM: Final = "DSA Transparency Database, statement of reasons"
FACTS_MAX: Final = 5_000
"""How long ``decision_facts`` may be, in characters."""

TEXT_MAX: Final = 500
"""How long ``source_identity`` and ``content_type_other`` may be."""

CATEGORY: Final = "STATEMENT_CATEGORY_RISK_FOR_PUBLIC_SECURITY"
KEYWORD: Final = "KEYWORD_TERRORIST_CONTENT"
CONTENT_TYPES: Final[Mapping[str, str]] = {
    "audio": "CONTENT_TYPE_AUDIO",
    "image": "CONTENT_TYPE_IMAGE",
    "text": "CONTENT_TYPE_TEXT",
    "video": "CONTENT_TYPE_VIDEO",
}
OTHER: Final = "CONTENT_TYPE_OTHER"

TO_ADD: Final[Mapping[str, str]] = {
    "decision_visibility": "Article 17(3)(a): what was done with the content; this node only recommends",
    "territorial_scope": "Article 17(3)(a): where that holds",
    "end_date_visibility_restriction": "Article 17(3)(a): until when, if not for good",
    "decision_ground": "Article 17(3)(d) and (e): illegal content, or terms and conditions; the company decides that",
    "illegal_content_legal_ground": "Article 17(3)(d): the law relied on, if on any",
    "illegal_content_explanation": "Article 17(3)(d): why the content is held to be illegal on that ground",
    "incompatible_content_ground": "Article 17(3)(e): the clause of the terms and conditions relied on, if on any",
    "incompatible_content_explanation": "Article 17(3)(e): why the content is held to be incompatible with it",
    "automated_decision": "Article 17(3)(c): how far the decision was automated; it is taken elsewhere",
    "content_date": "when the content was posted; this node sees hashes, and no posts",
    "application_date": "from when on the restriction holds",
    "puid": "the platform's own identifier of this statement",
}
"""What a whole statement needs and a node does not know, with what belongs there."""

NOTES: Final = (
    "this node writes no hash and no place in a log into decision_facts: what is published must not help to evade",
    "decision_facts repeats what this company wrote of its decisions: read it before anything is published",
    "sources are for the company's own file",
    "source_identity and decision_facts name members: Article 17(3)(b) asks for that only where strictly necessary",
    "whose content it was, and whether anybody was told: no node knows of persons",
    NOT_KEPT,
)
REDRESS: Final = "Article 17(3)(f): how the recipient can object: internal complaint, out-of-court settlement, court"
DETECTED: Final = "Article 17(3)(c): whether automated means found the content; whoever compared its hash knows"


@dataclass(frozen=True, slots=True)
class StatementOfReasons:
    """A draft: ``statement`` by the names of fields of ``form``, and ``to_add`` what is missing there, and why.

    ``sources`` says who said what and where, for the company's own file; ``notes`` are for whoever completes it.
    """

    form: str
    asked: str
    action: str
    statement: Mapping[str, Any]
    to_add: Mapping[str, str]
    sources: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]


def statement_of_reasons(explanation: Explanation) -> StatementOfReasons:
    """Give the draft of a statement of reasons that an explanation allows."""
    signals = [one for one in explanation.signals if one.action == explanation.action]
    said = [one for signal in signals for one in signal.said]
    statement: dict[str, Any] = {
        "category": CATEGORY,
        "category_specification": [KEYWORD],
        **_content_type(said),
        **_source(said),
        "decision_facts": _facts(explanation, signals),
    }
    to_add = dict(TO_ADD)
    if explanation.kind == "file":
        statement["automated_detection"] = "Yes"
    else:
        to_add["automated_detection"] = DETECTED
    if "content_type" not in statement:
        to_add["content_type"] = "what the content is: nobody who lists it now says"
    if "source_type" not in statement:
        to_add["source_type"] = "Article 17(3)(b): what the decision rests on; nobody lists this now"
    to_add["redress"] = REDRESS
    return StatementOfReasons(
        FORM,
        explanation.asked,
        explanation.action,
        statement,
        to_add,
        tuple(_told(one) for one in _distinct(said)),
        NOTES,
    )


def _content_type(said: list[Said]) -> dict[str, Any]:
    words = sorted({one.content for one in said if one.content})
    if not words:
        return {}
    types = sorted({CONTENT_TYPES.get(word, OTHER) for word in words})
    others = [word for word in words if word not in CONTENT_TYPES]
    found: dict[str, Any] = {"content_type": types}
    return {**found, "content_type_other": ", ".join(others)[:TEXT_MAX]} if others else found


def _source(said: list[Said]) -> dict[str, Any]:
    """Say on whose word it rests: on this company's own, or on that of other members, who are named."""
    others = sorted({one.member for one in said if not one.own})
    if others and not any(one.own for one in said):
        identity = f"members of a consortium that share hashes of confirmed terrorist content: {', '.join(others)}"
        return {"source_type": "SOURCE_TYPE_OTHER_NOTIFICATION", "source_identity": identity[:TEXT_MAX]}
    return {"source_type": "SOURCE_VOLUNTARY"} if said else {}


def _facts(explanation: Explanation, signals: list[ExplainedSignal]) -> str:
    lines = [f"On {explanation.at} this node recommended: {explanation.action}."]
    for signal in signals:
        how = "equals" if signal.distance == 0 else f"is {signal.distance} bits away from"
        lines.append(f"A {signal.type} hash of the content {how} a listed one.")
        lines += [f"{line[:1].upper()}{line[1:]}." for line in signal.because]
        lines += [_listed(one) for one in signal.said]
        lines += [f"{thought}." for one in signal.said for thought in _thoughts(one)]
        lines += [f"This company decided: {one.verdict} ({one.about}): {one.why}." for one in signal.decisions]
    text = " ".join(lines)
    return text if len(text) <= FACTS_MAX else f"{text[: FACTS_MAX - 1]}…"


def _listed(said: Said) -> str:
    whose = "This company" if said.own else f"The member {said.member}"
    what = "" if said.content is None else f" as {said.content}"
    labels = f", labelled {', '.join(said.labels)}" if said.labels else ""
    confirmed = "" if said.confirmed is None else f", confirmed by: {said.confirmed}"
    when = "" if said.time is None else f" on {said.time} by its own account"
    return f"{whose} lists it{what}{when}{labels}{confirmed}."


def _thoughts(said: Said) -> list[str]:
    return [
        f"The member {one.member} {one.verdict}s with that" + ("" if one.reason is None else f": {one.reason}")
        for one in said.opinions
        if one.counts and one.verdict in {"agree", "disagree"}
    ]


def _distinct(said: list[Said]) -> list[Said]:
    found = {(one.log, one.index): one for one in said}
    return [found[place] for place in sorted(found)]


def _told(said: Said) -> dict[str, Any]:
    names = ("member", "own", "log", "index", "listing", "time", "content", "labels", "confirmed", "expires")
    return {name: getattr(said, name) for name in names}
