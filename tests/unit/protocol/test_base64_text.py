from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.base64_text import decode_base64, encode_base64


@given(st.binary(max_size=40))
def test_bytes_come_back(data: bytes) -> None:
    assert decode_base64(encode_base64(data)) == data


@given(st.text(max_size=12) | st.from_regex(r"[A-Za-z0-9+/]{0,8}={0,3}", fullmatch=True))
def test_any_text_is_the_one_spelling_or_refused(text: str) -> None:
    try:
        data = decode_base64(text)
    except ValueError:
        return
    assert encode_base64(data) == text


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Q", "is not base64"),
        ("QQ", "is not base64"),
        ("QQ==\n", "is not base64"),
        ("Q-_=", "is not base64"),
        ("\u00e9", "is not base64"),
        ("QR==", "is not canonical base64"),
    ],
)
def test_another_spelling_is_refused(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=f"^{what}$"):
        decode_base64(text)
