from __future__ import annotations

from pathlib import Path

import pytest

from hashpact_keys import pkcs11_uri
from hashpact_keys.pkcs11_uri import parse_pkcs11_uri
from hashpact_protocol.errors import ConfigurationError

MODULE = "?module-path=/lib/m.so"


def test_everything_that_a_uri_may_say() -> None:
    uri = parse_pkcs11_uri(
        "pkcs11:token=The%20Token;serial=0%3B1;manufacturer=M;model=X;slot-id=17;object=r%C3%B6d;id=%01%ff;type=private"
        "?module-path=/lib/m%20n.so&pin-source=file:/run/pin"
    )
    assert (uri.token, uri.serial, uri.manufacturer, uri.model) == ("The Token", "0;1", "M", "X")
    assert (uri.slot_id, uri.object, uri.id) == (17, "röd", b"\x01\xff")
    assert (uri.module, uri.pin_file) == ("/lib/m n.so", Path("/run/pin"))
    assert uri.token_name == "token 'The Token'"


def test_a_short_one() -> None:
    uri = parse_pkcs11_uri(f"pkcs11:id=%02{MODULE}")
    assert (uri.token, uri.object, uri.id, uri.pin_file) == (None, None, b"\x02", None)
    assert uri.token_name == "token"
    assert parse_pkcs11_uri(f"pkcs11:id=%02;serial=7{MODULE}").token_name == "token with the serial number '7'"
    assert parse_pkcs11_uri(f"pkcs11:id=%02;slot-id=7{MODULE}").token_name == "token in slot 7"


@pytest.mark.parametrize("text", [f"pkcs11:object=a?pin-value=1234&{MODULE[1:]}", "pkcs11:pin-value=1234;object=a"])
def test_a_pin_in_a_uri_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"tells the PIN .*pin-source=file:PATH") as raised:
        parse_pkcs11_uri(text)
    assert "1234" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f"file:object=a{MODULE}", "no pkcs11 URI"),
        (f"pkcs11:token=a{MODULE}", "neither object nor id"),
        (f"pkcs11:{MODULE}", "neither object nor id"),
        (f"pkcs11:object=a;colour=red{MODULE}", "attribute 'colour' is not understood"),
        (f"pkcs11:object=a;x-vendor=1{MODULE}", "attribute 'x-vendor' is not understood"),
        (f"pkcs11:object=a;library-version=3{MODULE}", "attribute 'library-version' is not understood"),
        (f"pkcs11:object=a{MODULE}&pin_source=file:x", "attribute 'pin_source' is not understood"),
        (f"pkcs11:object=a;object=b{MODULE}", "object is given twice"),
        (f"pkcs11:object=%4{MODULE}", "not followed by two hex digits"),
        (f"pkcs11:object=%ff{MODULE}", "object is not UTF-8"),
        (f"pkcs11:object={MODULE}", "object has no value"),
        (f"pkcs11:object{MODULE}", "object has no value"),
        (f"pkcs11:object=a;slot-id=x{MODULE}", "slot-id is no number"),
        (f"pkcs11:object=a;type=cert{MODULE}", "neither private nor public"),
        ("pkcs11:object=a", "through which module"),
        ("pkcs11:object=a?module-path=m.so", "no absolute path"),
        ("pkcs11:object=a?module-path=/usr", "is a folder"),
        ("pkcs11:object=a?module-name=../m", "no name of a library"),
        ("pkcs11:object=a?module-name=there-is-none", "no module 'there-is-none'"),
        (f"pkcs11:object=a{MODULE}&module-name=a", "module-path is no folder"),
        (f"pkcs11:object=a{MODULE}&pin-source=|cat", "pin-source is no file"),
        (f"pkcs11:object=a{MODULE}&pin-source=file://host/pin", "pin-source is no file"),
        (f"pkcs11:object=a{MODULE}&pin-source=pin", "pin-source is no file"),
        (f"pkcs11:object=a{MODULE}&pin-source=file:", "pin-source is no file"),
    ],
)
def test_what_is_not_understood_is_refused_in_words(text: str, what: str) -> None:
    with pytest.raises(ConfigurationError, match=what) as raised:
        parse_pkcs11_uri(text)
    assert raised.value.where == text
    assert raised.value.mend


@pytest.mark.parametrize(
    ("source", "path"),
    [("file:/run/pin", "/run/pin"), ("file:///run/pin", "/run/pin"), ("/run/pin", "/run/pin"), ("file:pin", "pin")],
)
def test_files_of_pins(source: str, path: str) -> None:
    assert parse_pkcs11_uri(f"pkcs11:object=a{MODULE}&pin-source={source}").pin_file == Path(path)


@pytest.mark.parametrize("file", ["libmine.so", "mine.so", "mine"])
def test_a_module_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / file).touch()
    monkeypatch.setattr(pkcs11_uri, "MODULE_FOLDERS", ("/none/*", f"{tmp_path}/l*"))
    assert parse_pkcs11_uri("pkcs11:object=a?module-name=mine").module == str(folder / file)
    both = f"pkcs11:object=a?module-path={folder}&module-name=mine"
    assert parse_pkcs11_uri(both).module == str(folder / file)
