from __future__ import annotations

from hashpact_node.services.report_words import (
    CONTENTS,
    OTHER,
    OTHER_TYPES,
    UNLABELLED,
    UNSTATED,
    known_labels,
    known_type,
    known_word,
)


def test_words_that_nobody_knows_are_not_repeated() -> None:
    """Whoever publishes a listing writes its labels: a name in one of them must not be told to the public."""
    assert known_labels(["user:somebody", "behaviour:glorification", "9f86d081"]) == (
        "behaviour:glorification",
        OTHER,
    )
    assert known_labels([]) == (UNLABELLED,)
    assert (known_word("image", CONTENTS), known_word("somebody", CONTENTS)) == ("image", OTHER)
    assert known_word(None, CONTENTS) == UNSTATED
    assert (known_type("pdq"), known_type("made_up")) == ("pdq", OTHER_TYPES)
