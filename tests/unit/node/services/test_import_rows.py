from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.import_rows import LINE_MAX_BYTES, PlainRow, format_of, read_rows
from hashpact_protocol.errors import HashpactError, RequestError

SHA = "ab" * 32
PDQ = "cd" * 32
LISTING = {"content": "image", "signals": [{"type": "sha256", "value": SHA}]}


def rows(data: bytes, form: str = "ndjson", **options: object) -> list[tuple[int, str]]:
    """Give what each row says: its content, labels and signals, or its error."""
    found = []
    for number, row in read_rows(io.BytesIO(data), form, **options):  # type: ignore[arg-type]  # a test
        exact = row.exact() if isinstance(row, PlainRow) else row
        found.append((number, shown(exact)))
    return found


def shown(row: ListingDraft | HashpactError) -> str:
    if isinstance(row, HashpactError):
        return f"! {row}"
    signals = ",".join(f"{one.type}:{one.value[:2]}:{one.quality}" for one in row.signals)
    return f"{row.content} {'|'.join(row.labels)} {signals}"


def test_formats_go_by_the_name() -> None:
    assert format_of(Path("a.NDJSON")) == format_of(Path("a.jsonl")) == "ndjson"
    assert format_of(Path("a.csv")) == "csv"
    with pytest.raises(RequestError, match="does not say what it holds"):
        format_of(Path("a.xlsx"))


def test_ndjson_holds_a_listing_a_line() -> None:
    full = {**LISTING, "labels": ["a:b"], "note": "ü\n", "preserve": True, "handling": "this-log"}
    data = f"\ufeff{json.dumps(LISTING)}\r\n\n{json.dumps(full, ensure_ascii=False)}\n   \n{json.dumps(LISTING)}"
    assert rows(data.encode()) == [(1, "image  sha256:ab:None"), (3, "image a:b sha256:ab:None"), (5, rows_of_one())]
    assert rows(data.encode(), after=3) == [(5, rows_of_one())]


def rows_of_one() -> str:
    return "image  sha256:ab:None"


def test_a_plain_line_reads_like_an_exact_one() -> None:
    data = json.dumps(LISTING).encode()
    ((_, row),) = read_rows(io.BytesIO(data), "ndjson", defaults={"origin": "own", "content": "video"})
    assert isinstance(row, PlainRow)
    exact = row.exact()
    assert isinstance(exact, ListingDraft)
    assert (row.draft.content, row.draft.origin) == (exact.content, exact.origin) == ("image", "own")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("{", "line 1: is no JSON: Expecting property name enclosed in double quotes (character 2)"),
        ("[]", "line 1: a listing is a JSON object"),
        ('{"content":"image"}', "line 1: signals: is no array of 1 to 128 signals"),
        ('{"signals":[{"type":"md5","value":"AB"}],"content":"x"}', "line 1: signals[0].value: a value of md5"),
        ('{"a":1,"a":2}', "a name is there twice"),
        ('{"content":1.5}', "1.5 is no whole number"),
        ('{"content":NaN}', "NaN is no whole number"),
        ('{"content":7,"signals":[]}', "line 1: content: is no string"),
        ('{"label":[]}', "did you mean labels?"),
        ('{"zzz":[]}', "the fields are:"),
        ('{"id":"x"}', "leave it out"),
        ('{"content":"x","labels":"a","signals":[]}', "line 1: labels: is no array"),
        ('{"content":"x","preserve":1,"signals":[]}', "line 1: preserve: is neither true nor false"),
        (json.dumps({"signals": LISTING["signals"]}), "line 1: content: is missing"),
        (json.dumps({**LISTING, "id": "x"}), "leave it out"),
        ("[" * 100_000, "longer than"),
        ("[" * 60_000, "is no JSON that a listing can be made of"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(line: str, error: str) -> None:
    ((number, text),) = rows(line.encode())
    assert number == 1
    assert text.startswith("! line 1")
    assert error in text


def test_one_wrong_line_leaves_the_others() -> None:
    good = json.dumps(LISTING).encode()
    data = b"\n".join([good, b"\xff", b"x" * (3 * LINE_MAX_BYTES), good])
    found = rows(data)
    assert [number for number, _ in found] == [1, 2, 3, 4]
    assert "is no UTF-8 (byte 1)" in found[1][1]
    assert "longer than 65536 bytes" in found[2][1]
    assert found[3][1] == found[0][1]


def test_csv_holds_a_signal_a_line() -> None:
    data = (
        "Type,value,quality,labels,content,note\r\n"
        f'pdq,{PDQ},98,a:b; c:d ,,"two\nlines"\n'
        f"sha256,{SHA},,,video,\n"
        "\n"
        f"sha256,{SHA},,,,\n"
        f"pdq,{PDQ},high,,,\n"
        f"pdq,{PDQ},,,,\n"
        f",{SHA},,,x,\n"
        f"sha256,{SHA}\n"
    )
    found = rows(data.encode(), "csv")
    assert [number for number, _ in found] == [3, 4, 6, 7, 8, 9, 10]
    texts = [text for _, text in found]
    assert texts[:2] == ["image a:b|c:d pdq:cd:98", "video  sha256:ab:None"]
    assert "line 6: content: is missing" in texts[2]
    assert "quality: is no integer" in texts[3]
    assert "quality: is no integer" in texts[4]
    assert "signals[0].type" in texts[5]
    assert "line 10: has 2 cells, not 6" in texts[6]
    assert rows(data.encode(), "csv", after=9) == found[-1:]
    assert rows(data.encode(), "csv", defaults={"content": "audio"})[2] == (6, "audio  sha256:ab:None")


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ("type,valeu", "did you mean value?"),
        ("type,value,x1", "the first line names columns"),
        ("type,value,type", "there twice"),
        ("value,content", "the column type is missing"),
        ("type,\xff", "is no UTF-8"),
    ],
)
def test_a_header_that_is_not_understood_is_refused(header: str, error: str) -> None:
    with pytest.raises(RequestError, match=r".") as caught:
        rows(header.encode("latin-1"), "csv")
    assert error in str(caught.value)
    assert caught.value.where == "line 1"


def test_an_open_quote_is_a_wrong_row() -> None:
    good = f"sha256,{SHA},x\n"
    found = rows(f'type,value,content\n{good}"sha256"x,y,z\n{good}sha256,{SHA},"open\n'.encode(), "csv")
    assert [text[:1] for _, text in found] == ["x", "!", "x", "!"]
    assert "is no CSV" in found[1][1]


def test_an_empty_file_has_no_rows() -> None:
    assert rows(b"") == rows(b"", "csv") == rows(b"type,value\n", "csv") == []
