"""The cases of signals: every row of the table of types, and everything near it."""

from __future__ import annotations

from vectors.statement_material import PDQ_SIGNAL, SIGNAL_MALFORMED, Area, Object, canonical, digest

ABOUT = """# Signals

`signal.json` is one item of a listing's `signals`. `expected.json` says what claim it makes: `type`, `value` (of a blob
its SHA-256), `quality` where the type has one, `blob_length` of a blob. Where the folder's name ends in `_fail`, the
item is malformed: it is dropped, and its listing stands.
"""

HEX = digest("1") + digest("2") + digest("3") + digest("4") + digest("5")
BLOB: Object = {"type": "vpdq", "sha256": digest("blob"), "length": 81_920}
BLOB_CLAIM: Object = {"type": "vpdq", "value": digest("blob"), "blob_length": 81_920}
MEBIBYTES_16 = 16 * 1024 * 1024
WIDTHS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128, "url_sha256": 64, "photodna": 288}


def area() -> Area:
    """Make the area ``signals``."""
    made = Area("signals", ABOUT)
    _hex_types(made)
    _pdq(made)
    _tlsh(made)
    _blobs(made)
    _unknown_types(made)
    _shapes(made)
    return made


def _sound(made: Area, case: str, why: str, signal: object, claim: Object) -> None:
    made.add(case, why, claim, signal_json=canonical(signal))


def _broken(made: Area, case: str, why: str, signal: object) -> None:
    made.add(f"{case}_fail", why, {"code": SIGNAL_MALFORMED}, signal_json=canonical(signal))


def _hex_types(made: Area) -> None:
    for name, width in WIDTHS.items():
        value = HEX[:width]
        signal = {"type": name, "value": value}
        _sound(made, name, f"{width} lower-case hex digits.", signal, signal)
        _broken(made, f"{name}-short", "One digit too few.", signal | {"value": value[:-1]})
        _broken(made, f"{name}-long", "Two digits too many.", signal | {"value": value + "00"})
        _broken(made, f"{name}-upper", "Upper-case hex from a peer is malformed.", signal | {"value": value.upper()})
    sha256 = {"type": "sha256", "value": HEX[:64]}
    _broken(made, "sha256-not-hex", "g is no hex digit.", sha256 | {"value": "g" * 64})
    _broken(made, "sha256-spaces", "No white space between digits.", sha256 | {"value": " " + HEX[:62] + " "})
    _broken(made, "sha256-full-width", "Digits are ASCII.", sha256 | {"value": "\uff10" * 64})
    _broken(made, "sha256-newline", "No newline after the digits.", sha256 | {"value": HEX[:64] + "\n"})
    _broken(made, "sha256-empty", "No digits.", sha256 | {"value": ""})
    ignored = "Only some types have a quality; elsewhere it is an unknown field, whatever it holds."
    _sound(made, "sha256-quality", ignored, sha256 | {"quality": 101}, sha256)
    ignored = "Only blobs have a length; elsewhere it is an unknown field, whatever it holds."
    _sound(made, "sha256-length", ignored, sha256 | {"length": "long"}, sha256)
    _sound(made, "unknown-field", "Unknown fields are ignored.", sha256 | {"source": {"a": [1]}}, sha256)


def _pdq(made: Area) -> None:
    for quality in (0, 49, 50, 98, 100):
        signal = PDQ_SIGNAL | {"quality": quality}
        why = "Below 50: kept, and never matched." if quality < 50 else "256 bits with their quality."
        _sound(made, f"pdq-quality-{quality}", why, signal, signal)
    malformed: Object = {"101": 101, "minus-1": -1, "text": "98", "true": True, "null": None}
    for case, quality in malformed.items():
        why = "quality is an integer of 0 to 100."
        _broken(made, f"pdq-quality-{case}", why, PDQ_SIGNAL | {"quality": quality})
    _broken(made, "pdq-quality-missing", "quality is required.", {"type": "pdq", "value": digest("2")})
    _broken(made, "pdq-128-bit", "PDQ has 256 bits.", PDQ_SIGNAL | {"value": digest("2")[:32]})
    _broken(made, "pdq-257-bit", "PDQ has 256 bits.", PDQ_SIGNAL | {"value": digest("2") + "8"})
    _broken(made, "pdq-upper", "Upper-case hex from a peer is malformed.", PDQ_SIGNAL | {"value": "AB" * 32})
    _broken(made, "pdq-not-hex", "z is no hex digit.", PDQ_SIGNAL | {"value": "z" * 64})
    _broken(made, "pdq-blob", "PDQ comes with a value.", {"type": "pdq", "quality": 9, **_without_type(BLOB)})


def _tlsh(made: Area) -> None:
    digits = HEX[:70].upper()
    signal = {"type": "tlsh", "value": f"T1{digits}"}
    _sound(made, "tlsh", "T1 and 70 upper-case hex digits.", signal, signal)
    _broken(made, "tlsh-lower", "The digits are upper case.", signal | {"value": f"T1{digits.lower()}"})
    _broken(made, "tlsh-lower-prefix", "The T is upper case.", signal | {"value": f"t1{digits}"})
    _broken(made, "tlsh-without-prefix", "T1 begins the value.", signal | {"value": digits})
    _broken(made, "tlsh-other-version", "Only version 1.", signal | {"value": f"T2{digits}"})
    _broken(made, "tlsh-short", "70 digits.", signal | {"value": f"T1{digits[:-1]}"})
    _broken(made, "tlsh-long", "70 digits.", signal | {"value": f"T1{digits}00"})
    _broken(made, "tlsh-tnull", "What the tool gives for too little data.", signal | {"value": "TNULL"})


def _without_type(signal: Object) -> Object:
    return {name: value for name, value in signal.items() if name != "type"}


def _blobs(made: Area) -> None:
    for name in ("vpdq", "tmk"):
        _sound(
            made, f"{name}-blob", "A blob, by SHA-256 and length.", BLOB | {"type": name}, BLOB_CLAIM | {"type": name}
        )
        _broken(made, f"{name}-value", "Comes as a blob only.", {"type": name, "value": digest("2")})
    for length in (1, MEBIBYTES_16):
        claim = BLOB_CLAIM | {"blob_length": length}
        _sound(made, f"blob-length-{length}", "1 byte to 16 MiB.", BLOB | {"length": length}, claim)
    lengths: Object = {"0": 0, "too-long": MEBIBYTES_16 + 1, "minus-1": -1, "text": "9", "true": True, "null": None}
    for case, length in lengths.items():
        _broken(made, f"blob-length-{case}", "length is 1 byte to 16 MiB.", BLOB | {"length": length})
    _broken(made, "blob-length-missing", "length is required.", {"type": "vpdq", "sha256": digest("blob")})
    _broken(made, "blob-sha256-upper", "Lower-case hex.", BLOB | {"sha256": "AB" * 32})
    _broken(made, "blob-sha256-short", "64 digits.", BLOB | {"sha256": digest("blob")[:-1]})
    _broken(made, "blob-sha256-null", "A field that is present has its form.", BLOB | {"sha256": None})
    _broken(made, "blob-and-value", "Either a value or a blob, not both.", BLOB | {"value": digest("2")})
    _broken(made, "blob-and-value-null", "Either a value or a blob, not both.", BLOB | {"value": None})
    _broken(made, "sha256-blob", "The known types with values are never blobs.", BLOB | {"type": "sha256"})
    ignored = "A blob has no quality; it is an unknown field."
    _sound(made, "blob-quality", ignored, BLOB | {"quality": 1}, BLOB_CLAIM)


def _unknown_types(made: Area) -> None:
    signal: Object = {"type": "wave_print2", "value": "!A-z~0"}
    _sound(made, "unknown-type", "Kept, exported, never matched.", signal, signal)
    _sound(made, "unknown-type-1-character", "The shortest name.", signal | {"type": "x"}, signal | {"type": "x"})
    longest = signal | {"type": "a" * 32}
    _sound(made, "unknown-type-32-characters", "The longest name.", longest, longest)
    longest = signal | {"value": "x" * 4_096}
    _sound(made, "unknown-type-4096-bytes", "The longest value.", longest, longest)
    _sound(made, "unknown-type-blob", "May be a blob.", BLOB | {"type": "zz"}, BLOB_CLAIM | {"type": "zz"})
    ignored = "What its other fields mean is not known, so they are ignored."
    _sound(made, "unknown-type-quality", ignored, signal | {"quality": "fine", "length": 0}, signal)
    _broken(made, "unknown-type-4097-bytes", "At most 4 096 bytes.", signal | {"value": "x" * 4_097})
    _broken(made, "unknown-type-empty-value", "At least one character.", signal | {"value": ""})
    for case, character in (("space", " "), ("newline", "\n"), ("del", "\x7f"), ("nul", "\0"), ("e-acute", "\xe9")):
        why = "A value is U+0021 to U+007E."
        _broken(made, f"unknown-type-value-{case}", why, signal | {"value": f"a{character}"})


def _shapes(made: Area) -> None:
    value = digest("1")
    names = (
        ("empty", ""),
        ("33-characters", "a" * 33),
        ("upper", "SHA256"),
        ("hyphen", "sha-256"),
        ("newline", "md5\n"),
    )
    for case, name in names:
        _broken(made, f"type-{case}", "A type is 1 to 32 of a-z, 0-9 and _.", {"type": name, "value": value})
    _broken(made, "type-number", "A type is a string.", {"type": 3, "value": value})
    _broken(made, "type-null", "A type is a string.", {"type": None, "value": value})
    _broken(made, "type-missing", "A type is required.", {"value": value})
    _broken(made, "value-missing", "Neither value nor sha256.", {"type": "sha256"})
    _broken(made, "value-null", "A value is a string.", {"type": "sha256", "value": None})
    _broken(made, "value-number", "A value is a string.", {"type": "wave", "value": 7})
    _broken(made, "value-array", "A value is a string.", {"type": "sha256", "value": [value]})
    _broken(made, "empty-object", "A type is required.", {})
    for case, item in (("string", value), ("number", 5), ("null", None), ("array", ["sha256", value])):
        _broken(made, f"item-{case}", "A signal is an object.", item)
