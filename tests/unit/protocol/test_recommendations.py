from __future__ import annotations

from typing import Any

import pytest

from hashpact_protocol.errors import ConfigurationError, RequestError
from hashpact_protocol.recommendations import (
    RECOMMENDATIONS_MAX,
    SURFACES,
    Recommendation,
    check_surface,
    read_recommendations,
    recommend,
)

NO_LIVE = Recommendation("no live streaming for 30 days", frozenset({"livestream"}), labels=("behaviour:threat",))
ANY = Recommendation("look at the account")


def asked(*ones: Recommendation, surface: str | None = None, action: str = "block", labels: Any = ()) -> str | None:
    return recommend(ones, surface=surface, action=action, labels=labels)


def test_surface_action_and_labels_must_all_fit() -> None:
    met: dict[str, Any] = {"surface": "livestream", "labels": ("behaviour:threat", "producer:unknown")}
    assert asked(NO_LIVE, **met) == NO_LIVE.text
    assert asked(NO_LIVE, **{**met, "surface": "upload"}) is None
    assert asked(NO_LIVE, **{**met, "surface": None}) is None
    assert asked(NO_LIVE, **{**met, "labels": ("behaviour:threats",)}) is None
    assert asked(NO_LIVE, **{**met, "labels": ()}) is None
    assert asked(NO_LIVE, **met, action="review") is None


def test_what_names_nothing_is_for_everything_that_is_to_be_blocked() -> None:
    assert [asked(ANY, surface=one) for one in (None, *SURFACES)] == [ANY.text] * 4
    assert [asked(ANY, action=one) for one in ("review", "observe", "ignore", "none")] == [None] * 4


def test_the_first_that_applies_is_given() -> None:
    met: dict[str, Any] = {"surface": "livestream", "labels": ("behaviour:threat",)}
    assert asked(NO_LIVE, ANY, **met) == NO_LIVE.text
    assert asked(ANY, NO_LIVE, **met) == ANY.text
    assert asked() is None


def test_a_label_may_stand_for_all_that_begin_so() -> None:
    one = Recommendation("x", labels=("incident:*", "a"))
    assert [asked(one, labels=(label,)) for label in ("incident:1", "incident:", "incident", "a", "ab")] == [
        "x",
        "x",
        None,
        "x",
        None,
    ]


def test_a_surface_is_one_of_the_words() -> None:
    assert [check_surface(one) for one in (None, "upload", "livestream", "link")] == [None, *SURFACES]
    with pytest.raises(RequestError, match="no surface") as caught:
        check_surface("phone")
    assert (caught.value.where, "livestream" in (caught.value.mend or "")) == ("surface", True)


def test_tables_are_read() -> None:
    tables = [
        {"text": "x", "surfaces": ["upload", "link"], "actions": ["block", "review"], "labels": ["a", "b:*"]},
        {"text": "y"},
    ]
    assert read_recommendations(tables) == (
        Recommendation("x", frozenset({"upload", "link"}), frozenset({"block", "review"}), ("a", "b:*")),
        Recommendation("y"),
    )
    assert read_recommendations([]) == ()


@pytest.mark.parametrize(
    ("tables", "where"),
    [
        ({}, "recommendations"),
        ([{"text": "x"}] * (RECOMMENDATIONS_MAX + 1), "recommendations"),
        ([{"text": "x"}, "y"], "recommendations[1]"),
        ([{"text": "x", "label": []}], "recommendations[0]"),
        ([{}], "recommendations[0].text"),
        ([{"text": ""}], "recommendations[0].text"),
        ([{"text": "x" * 501}], "recommendations[0].text"),
        ([{"text": "a\nb"}], "recommendations[0].text"),
        ([{"text": 1}], "recommendations[0].text"),
        ([{"text": "x", "surfaces": ["phone"]}], "recommendations[0].surfaces"),
        ([{"text": "x", "surfaces": "upload"}], "recommendations[0].surfaces"),
        ([{"text": "x", "surfaces": [1]}], "recommendations[0].surfaces"),
        ([{"text": "x", "actions": ["ban"]}], "recommendations[0].actions"),
        ([{"text": "x", "labels": ["a*b"]}], "recommendations[0].labels"),
        ([{"text": "x", "labels": [""]}], "recommendations[0].labels"),
        ([{"text": "x", "labels": ["ä" * 65]}], "recommendations[0].labels"),
        ([{"text": "x", "labels": ["a"] * 65}], "recommendations[0].labels"),
    ],
)
def test_what_is_wrong_is_named(tables: object, where: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_recommendations(tables)
    assert caught.value.where == where
