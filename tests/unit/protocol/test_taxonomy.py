from __future__ import annotations

import msgspec
import pytest

from hashpact_protocol.limits import LIMITS
from hashpact_protocol.taxonomy import (
    VERSION,
    Finding,
    LabelStatus,
    Standing,
    check_labels,
    parse_taxonomy,
    taxonomy,
)


def test_the_taxonomy_is_of_the_version_that_its_name_says() -> None:
    assert taxonomy().version == VERSION == 1
    assert list(taxonomy().facets) == ["content", "producer", "behaviour", "incident"]


def test_every_label_is_defined_once_and_fits_into_a_statement() -> None:
    labels = [label for facet in taxonomy().facets.values() for label in facet.labels]
    assert len({label.label for label in labels}) == len(labels) == len(taxonomy().labels)
    for label in labels:
        assert len(label.label.encode()) <= 128 <= LIMITS.known_string_max_bytes
        assert label.definition.endswith(".")


def test_labels_of_producer_and_behaviour_carry_their_facet() -> None:
    for name in ("producer", "behaviour"):
        assert all(label.label.startswith(f"{name}:") for label in taxonomy().facets[name].labels)


def test_what_stands_instead_of_a_deprecated_label_is_active() -> None:
    labels = taxonomy().labels
    deprecated = [label for label in labels.values() if label.status is LabelStatus.DEPRECATED]
    assert deprecated
    for label in labels.values():
        assert bool(label.instead) is (label.status is LabelStatus.DEPRECATED)
        assert all(labels[one].status is LabelStatus.ACTIVE for one in label.instead)


def test_words_are_looked_up_each_once_and_none_is_refused() -> None:
    words = ["behaviour:propaganda", "image", "producer:lone-acter", "image", "game", "zzzz"]
    assert check_labels(words, taxonomy()) == [
        Finding("behaviour:propaganda", Standing.DEPRECATED, ("behaviour:glorification", "behaviour:recruitment")),
        Finding("image", Standing.KNOWN),
        Finding("producer:lone-acter", Standing.UNKNOWN, ("producer:lone-actor",)),
        Finding("game", Standing.PROPOSED),
        Finding("zzzz", Standing.UNKNOWN),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b'{"version":1,"about":"","facets":{"a":{"about":"","labels":[{"label":"x","status":"odd","definition":""}]}}}',
        b'{"version":1,"about":"","facets":{},"more":1}',
        b"{",
    ],
)
def test_what_is_no_taxonomy_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        parse_taxonomy(data)
