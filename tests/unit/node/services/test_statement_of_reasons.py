from __future__ import annotations

from dataclasses import replace

import pytest

from hashpact_node.services.explaining_views import Decided, ExplainedSignal, Explanation, Said, Thought
from hashpact_node.services.statement_of_reasons import (
    DETECTED,
    FACTS_MAX,
    REDRESS,
    TEXT_MAX,
    TO_ADD,
    statement_of_reasons,
)

SAID = Said(
    "beta",
    own=False,
    listing="6f1c2f0e-6f5c-4b0e-9d0a-0f6d2a1b3c4d",
    time="2026-11-20T04:00:00Z",
    log="beta.example/logs/listings-1",
    index=4711,
    content="image",
    labels=("behaviour:glorification",),
    confirmed="human",
    opinions=(
        Thought("gamma", "agree", None, "2026-11-21T04:00:00Z", "g", 1, counts=True),
        Thought("delta", "disagree", "satire", "2026-11-21T04:00:00Z", "d", 1, counts=True),
        Thought("epsilon", "disagree", "legal", "2026-11-21T04:00:00Z", "e", 1, counts=False),
    ),
)
SIGNAL = ExplainedSignal(
    "pdq",
    "f" * 64,
    3,
    "block",
    "members-agree",
    ("rule members-agree: two or more members list it",),
    "2026-11-24T04:00:00Z",
    1,
    (SAID,),
    (),
    (),
)
EXPLANATION = Explanation(
    "a.png", "file", "acme", "2026-11-24T05:00:00Z", known=True, action="block", signals=(SIGNAL,)
)
NAMES = {
    *("category", "category_specification", "content_type", "content_type_other", "source_type", "source_identity"),
    *("decision_facts", "automated_detection"),
}


def test_what_is_known_stands_under_the_names_of_the_database() -> None:
    made = statement_of_reasons(EXPLANATION)
    statement = dict(made.statement)
    facts = statement.pop("decision_facts")
    assert statement == {
        "category": "STATEMENT_CATEGORY_RISK_FOR_PUBLIC_SECURITY",
        "category_specification": ["KEYWORD_TERRORIST_CONTENT"],
        "content_type": ["CONTENT_TYPE_IMAGE"],
        "source_type": "SOURCE_TYPE_OTHER_NOTIFICATION",
        "source_identity": "members of a consortium that share hashes of confirmed terrorist content: beta",
        "automated_detection": "Yes",
    }
    for words in (
        "On 2026-11-24T05:00:00Z this node recommended: block.",
        "A pdq hash of the content is 3 bits away from a listed one.",
        "The member beta lists it as image on 2026-11-20T04:00:00Z by its own account, labelled behaviour:glorif",
        "ication, confirmed by: human.",
        "The member gamma agrees with that.",
        "The member delta disagrees with that: satire.",
    ):
        assert words in facts
    assert "epsilon" not in facts
    (source,) = made.sources
    assert (source["member"], source["log"], source["index"]) == ("beta", "beta.example/logs/listings-1", 4711)


def test_what_may_be_published_holds_no_hash_and_no_place() -> None:
    statement = str(statement_of_reasons(EXPLANATION).statement)
    assert SIGNAL.value not in statement
    assert SAID.log not in statement
    assert str(SAID.listing) not in statement


def test_what_is_not_known_is_said_and_not_made_up() -> None:
    made = statement_of_reasons(EXPLANATION)
    assert made.to_add == {**TO_ADD, "redress": REDRESS}
    assert not set(made.statement) & set(made.to_add)
    assert set(made.statement) <= NAMES
    asked = statement_of_reasons(replace(EXPLANATION, kind="signal"))
    assert asked.to_add["automated_detection"] == DETECTED
    assert "automated_detection" not in asked.statement
    nobody = statement_of_reasons(
        replace(EXPLANATION, action="none", signals=(replace(SIGNAL, action="none", said=()),))
    )
    assert {"content_type", "source_type"} <= nobody.to_add.keys()
    assert not {"content_type", "source_type", "source_identity"} & nobody.statement.keys()
    assert nobody.sources == ()


def test_on_its_own_word_nobody_else_is_named() -> None:
    own = replace(SIGNAL, said=(replace(SAID, member="acme", own=True), SAID))
    statement = statement_of_reasons(replace(EXPLANATION, signals=(own,))).statement
    assert statement["source_type"] == "SOURCE_VOLUNTARY"
    assert "source_identity" not in statement
    assert "This company lists it as image" in statement["decision_facts"]


@pytest.mark.parametrize(
    ("content", "types", "other"),
    [
        ("video", ["CONTENT_TYPE_VIDEO"], None),
        ("text", ["CONTENT_TYPE_TEXT"], None),
        ("audio", ["CONTENT_TYPE_AUDIO"], None),
        ("url", ["CONTENT_TYPE_OTHER"], "url"),
    ],
)
def test_content_is_called_as_the_database_calls_it(content: str, types: list[str], other: str | None) -> None:
    signal = replace(SIGNAL, said=(replace(SAID, content=content),))
    statement = statement_of_reasons(replace(EXPLANATION, signals=(signal,))).statement
    assert (statement["content_type"], statement.get("content_type_other")) == (types, other)


def test_decisions_are_told_and_lengths_are_kept() -> None:
    decided = Decided(7, "confirm", "this signal", "x" * 6_000, "command:ann", "2026-11-24T04:00:00Z", None, None)
    said = tuple(replace(SAID, member=f"member-{number}", index=number) for number in range(100))
    long = replace(SIGNAL, decisions=(decided,), said=(SAID, replace(SAID, content="u" * 900, index=1), *said))
    statement = statement_of_reasons(replace(EXPLANATION, signals=(long,))).statement
    assert len(statement["decision_facts"]) == FACTS_MAX
    assert statement["decision_facts"].endswith("…")
    assert len(statement["source_identity"]) == len(statement["content_type_other"]) == TEXT_MAX
    short = replace(SIGNAL, decisions=(replace(decided, why="known"),))
    told = statement_of_reasons(replace(EXPLANATION, signals=(short,))).statement["decision_facts"]
    assert "This company decided: confirm (this signal): known." in told


def test_whoever_completes_it_is_told_that_words_of_this_company_and_names_stand_in_it() -> None:
    decided = Decided(7, "confirm", "this signal", "Ann knew it", "command:ann", "2026-11-24T04:00:00Z", None, None)
    told = statement_of_reasons(replace(EXPLANATION, signals=(replace(SIGNAL, decisions=(decided,)),)))
    facts = told.statement["decision_facts"]
    assert "Ann knew it" in facts
    assert "The member beta" in facts
    assert any(note.startswith("decision_facts repeats what this company wrote") for note in told.notes)
    assert any(note.startswith("source_identity and decision_facts name members") for note in told.notes)


def test_only_what_leads_to_the_action_is_told() -> None:
    weaker = replace(SIGNAL, action="review", said=(replace(SAID, member="zeta"),))
    statement = statement_of_reasons(replace(EXPLANATION, signals=(SIGNAL, weaker))).statement
    assert "zeta" not in str(statement)
