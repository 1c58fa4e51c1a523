from __future__ import annotations

import pytest

from hashpact_node.api.files import choose_encoding, is_unchanged

OFFERED = ("zstd", "gzip")


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        (None, "identity"),
        ("", "identity"),
        ("identity", "identity"),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("zstd, gzip, identity", "zstd"),
        ("gzip, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("zstd;q=0, gzip", "gzip"),
        ("zstd;q=0", "identity"),
        ("*", "zstd"),
        ("*;q=0.5, identity;q=0.8", "identity"),
        ("zstd;q=0, *", "gzip"),
        ("br", "identity"),
        ("br, identity;q=0", None),
        ("*;q=0", None),
        ("gzip;q=0.001, *;q=0", "gzip"),
        ("gzip ; q=0.5", "gzip"),
        ("zstd;q=2, gzip;q=0.1", "gzip"),
        ("zstd;q=much, gzip;q=0.1", "gzip"),
        ("zstd;level=3", "zstd"),
    ],
)
def test_content_codings_are_chosen_by_what_the_client_likes(accepted: str | None, chosen: str | None) -> None:
    assert choose_encoding(accepted, OFFERED) == chosen


def test_without_codings_there_is_identity() -> None:
    assert choose_encoding("zstd, gzip", ()) == "identity"
    assert choose_encoding("identity;q=0", ()) is None


@pytest.mark.parametrize(
    ("sent", "unchanged"),
    [
        (None, False),
        ("", False),
        ('"a"', True),
        ('W/"a"', True),
        ('"b"', False),
        ('"b", "a"', True),
        ('"b","a"', True),
        ('"a,b"', False),
        ("*", True),
        (" * ", True),
        ("a", False),
    ],
)
def test_what_a_client_has_is_not_sent_again(sent: str | None, unchanged: bool) -> None:  # noqa: FBT001 - parametrized
    assert is_unchanged(sent, '"a"') is unchanged
