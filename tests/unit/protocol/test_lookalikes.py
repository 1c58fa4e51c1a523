from __future__ import annotations

import pytest

from hashpact_protocol.lookalikes import oddities, resembles, skeleton

CYRILLIC_A, CYRILLIC_ACME = "\u0430", "\u0430\u0441\u043c\u0435"


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("acme", "acrne"),
        ("acme-1", "acme-l"),
        ("acme", "ac-me"),
        ("Acme", f"{CYRILLIC_A}cme"),
        ("Acme", CYRILLIC_ACME),
        ("Acme", "A\u200bcme"),
        ("Acme", "\uff21\uff43\uff4d\uff45"),
        ("Acme", "\u0391cme"),
        ("acme", "\u00e1cme"),
        ("Video Inc.", "VIDE0 lnc"),
        ("wave", "vvave"),
        ("delta", "clelta"),
    ],
)
def test_what_reads_alike_resembles(text: str, other: str) -> None:
    assert resembles(text, other)
    assert resembles(other, text)


@pytest.mark.parametrize(
    ("text", "other"),
    [("acme", "acme"), ("acme", "acne"), ("beta", "zeta"), ("member-1", "member-2"), ("-", "--"), ("", "acme")],
)
def test_what_reads_otherwise_does_not(text: str, other: str) -> None:
    assert not resembles(text, other)


def test_a_skeleton_holds_plain_letters_and_digits() -> None:
    assert skeleton("A-c.m e\u0301\u202e") == "acme"
    assert skeleton("\u65e5\u672c") == "\u65e5\u672c"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Acme Video Inc.", []),
        ("\u65e5\u672c\u30d3\u30c7\u30aa KK", []),
        (f"Acme {CYRILLIC_ACME}", []),
        (f"{CYRILLIC_A}cme", ["mixes Cyrillic and Latin letters in one word"]),
        ("Acm\u03b5 Acm\u03b5s", ["mixes Greek and Latin letters in one word"]),
        ("Ac\u200bme", ["holds characters that cannot be seen"]),
        (
            f"Ac\u202em{CYRILLIC_A}",
            ["holds characters that cannot be seen", "mixes Cyrillic and Latin letters in one word"],
        ),
    ],
)
def test_unusual_writing_is_told(text: str, found: list[str]) -> None:
    assert oddities(text) == found
