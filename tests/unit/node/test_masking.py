from __future__ import annotations

import pytest

from hashpact_node.masking import without_passwords


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://beta.example/a", "https://beta.example/a"),
        ("https://user:secret@beta.example/a", "https://***@beta.example/a"),
        ("https://secret@beta.example", "https://***@beta.example"),
        ("'https://user:se/cr@et@beta.example' is no URL", "'https://***@beta.example' is no URL"),
        ("https://user:secret@a and http://u:secret@b", "https://***@a and http://***@b"),
        ("write to a@b", "write to a@b"),
        (None, None),
    ],
)
def test_what_stands_before_an_at_sign_is_masked(text: str | None, shown: str | None) -> None:
    assert without_passwords(text) == shown
