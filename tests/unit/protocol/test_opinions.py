from __future__ import annotations

import re

from hashpact_protocol.opinions import REASONS


def test_reasons_are_words_that_fit_into_what_is_kept_of_them() -> None:
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in REASONS)
    assert max(map(len, REASONS)) <= 100
    assert all(meaning and not meaning.endswith(".") for meaning in REASONS.values())
