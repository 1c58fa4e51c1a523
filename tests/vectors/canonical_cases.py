"""The cases of the canonical form; the examples of RFC 8785 are marked with their sections."""

from __future__ import annotations

from vectors.statement_material import ENTRY_MALFORMED, Area, canonical

ABOUT = """# The canonical form of entries

`entry.json` is what a parser gets and must take; `entry.bin`, in folders whose names end in `_fail`, is what it must
refuse. Where `value.json` is there too, it is another spelling of the same value, and writing that value in canonical
form must give the bytes of `entry.json`. How long an entry may be is not asked here.
"""

RFC_SORTING = (
    b'{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",'
    b'"\\ud83d\\ude00":"Emoji: Grinning Face","\\u0080":"Control","\\u00f6":"Latin Small Letter O With Diaeresis"}'
)
RFC_SORTED = (
    '{"\\r":"Carriage Return","1":"One","\x80":"Control","\xf6":"Latin Small Letter O With Diaeresis",'
    '"\u20ac":"Euro Sign","\U0001f600":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}'
).encode()
RFC_STRING = b'{"string": "\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/", "literals": [null, true, false]}'
RFC_STRING_CANONICAL = '{"literals":[null,true,false],"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'.encode()
# IEEE 754 samples of RFC 8785 appendix B as that text writes them, and whether they are integers within 2^53-1.
RFC_NUMBERS = [
    ("0", True),
    ("9007199254740991", True),
    ("-9007199254740991", True),
    ("9007199254740992", False),
    ("-9007199254740992", False),
    ("295147905179352830000", False),
    ("5e-324", False),
    ("-5e-324", False),
    ("1.7976931348623157e+308", False),
    ("9.999999999999997e+22", False),
    ("1e+23", False),
    ("999999999999999700000", False),
    ("1e+21", False),
    ("9.999999999999997e-7", False),
    ("0.000001", False),
    ("333333333.3333332", False),
    ("1424953923781206.2", False),
]

SOUND: list[tuple[str, str, bytes]] = [
    ("empty-object", "Canonical form asks for no field.", b"{}"),
    ("empty-array", "Any JSON value has a canonical form; that an entry is an object is asked elsewhere.", b"[]"),
    ("del", "DEL (U+007F) is written as it is.", b'{"a":"\x7f"}'),
    ("noncharacters", "Noncharacters are allowed (WIRE: Entries).", '{"a":"\ufdd0\uffff\U0010ffff"}'.encode()),
    ("line-separators", "U+2028 and U+2029 are written as they are.", '{"a":"\u2028\u2029"}'.encode()),
    ("bom-inside", "U+FEFF within a string is a character.", '{"a":"\ufeff"}'.encode()),
    ("not-normalised", "Strings are never normalised: e with combining acute.", '{"a":"e\u0301"}'.encode()),
    ("slash", "A slash is not escaped.", b'{"a":"</b>"}'),
    ("escapes", "The seven two-character escapes.", b'{"a":"\\b\\t\\n\\f\\r\\"\\\\"}'),
    ("control-characters", "The others are \\u00xx in lower case.", b'{"a":"\\u0000\\u000b\\u001f"}'),
    ("empty-name", "A name may be empty, and comes first.", b'{"":1,"a":2}'),
    ("prefix-name", "A shorter name comes before a longer one that it begins.", b'{"a":1,"aa":2}'),
    ("case-order", "Upper case comes before lower case, digits before both.", b'{"1":1,"B":2,"a":3}'),
    ("depth-8", "Eight levels of objects and arrays, both counted.", b'{"a":[{"b":[{"c":[{"d":[]}]}]}]}'),
    ("negative", "A negative integer.", b'{"a":-1}'),
]

BROKEN: list[tuple[str, str, bytes]] = [
    ("empty", "No bytes at all.", b""),
    ("not-json", "Not JSON.", b"{kind:listing}"),
    ("html", "A login page.", b"<!DOCTYPE html><title>Sign in</title>"),
    ("truncated", "Cut off.", b'{"a":1'),
    ("single-quotes", "Strings stand in double quotes.", b"{'a':1}"),
    ("trailing-comma", "No comma at the end.", b'{"a":1,}'),
    ("comment", "JSON has no comments.", b'{"a":1}//'),
    ("two-values", "One value only.", b"{}{}"),
    ("nan", "NaN is no JSON.", b'{"a":NaN}'),
    ("infinity", "Infinity is no JSON.", b'{"a":-Infinity}'),
    ("float-one", "1.0 is not how an integer is written.", b'{"a":1.0}'),
    ("exponent", "1e2 is not how an integer is written.", b'{"a":1e2}'),
    ("minus-zero", "-0 is not how zero is written.", b'{"a":-0}'),
    ("leading-zero", "01 is no JSON.", b'{"a":01}'),
    ("plus", "+1 is no JSON.", b'{"a":+1}'),
    ("fraction", "No fractions.", b'{"a":1.5}'),
    ("number-10000-digits", "A number of 10 000 digits.", b'{"a":' + b"9" * 10_000 + b"}"),
    ("number-17-digits", "2^53-1 with one more digit.", b'{"a":90071992547409910}'),
    ("lone-surrogate", "A lone high surrogate, escaped.", b'{"a":"\\ud800"}'),
    ("lone-low-surrogate", "A lone low surrogate, escaped.", b'{"a":"\\udc00x"}'),
    ("surrogates-swapped", "Low before high is no pair.", b'{"a":"\\ude00\\ud83d"}'),
    ("lone-surrogate-name", "A lone surrogate in a name.", b'{"\\udfff":1}'),
    ("raw-surrogate", "A surrogate as three bytes is no UTF-8.", b'{"a":"\xed\xa0\x80"}'),
    ("surrogate-pair-escaped", "A pair of escapes, instead of the character.", b'{"a":"\\ud83d\\ude00"}'),
    ("surrogate-pair-raw", "CESU-8 is no UTF-8.", b'{"a":"\xed\xa0\xbd\xed\xb8\x80"}'),
    ("invalid-utf8", "FF stands nowhere in UTF-8.", b'{"a":"\xff"}'),
    ("overlong-utf8", "A slash in two bytes.", b'{"a":"\xc0\xaf"}'),
    ("beyond-unicode", "U+110000 is no character.", b'{"a":"\xf4\x90\x80\x80"}'),
    ("latin-1", "Latin-1 is no UTF-8.", b'{"a":"\xe9"}'),
    ("utf-16", "UTF-16 is no UTF-8.", '{"a":1}'.encode("utf-16-le")),
    ("bom", "A byte order mark before the text.", b'\xef\xbb\xbf{"a":1}'),
    ("trailing-lf", "No line terminator.", b'{"a":1}\n'),
    ("trailing-crlf", "No line terminator.", b'{"a":1}\r\n'),
    ("leading-space", "No white space before.", b' {"a":1}'),
    ("inner-space", "No white space within.", b'{"a": 1}'),
    ("inner-newline", "No newline between fields.", b'{"a":1,\n"b":2}'),
    ("trailing-nul", "No NUL after the text.", b'{"a":1}\x00'),
    ("raw-nul", "No NUL within a string.", b'{"a":"\x00"}'),
    ("raw-newline", "No raw newline within a string.", b'{"a":"\n"}'),
    ("raw-tab", "No raw tab within a string.", b'{"a":"\t"}'),
    ("doubled-name", "The same name twice.", b'{"a":1,"a":2}'),
    ("doubled-name-same-value", "The same name twice, with one value.", b'{"a":1,"a":1}'),
    ("doubled-name-escaped", "The same name twice, once escaped.", b'{"a":1,"\\u0061":1}'),
    ("doubled-name-deep", "The same name twice, further in.", b'{"a":[{"b":1,"b":2}]}'),
    ("escaped-letter", "\\u0041 instead of A.", b'{"a":"\\u0041"}'),
    ("escaped-letter-name", "\\u0061 instead of a, in a name.", b'{"\\u0061":1}'),
    ("escaped-slash", "A slash is not escaped.", b'{"a":"\\/"}'),
    ("escaped-del", "DEL is not escaped.", b'{"a":"\\u007f"}'),
    ("escaped-e-acute", "Only control characters are escaped.", b'{"a":"\\u00e9"}'),
    ("escaped-upper-case", "\\u001F: the digits are lower case.", b'{"a":"\\u001F"}'),
    ("escaped-newline-long", "A newline is \\n, not \\u000a.", b'{"a":"\\u000a"}'),
    ("unknown-escape", "\\x is no escape.", b'{"a":"\\x41"}'),
    ("unsorted", "Names out of order.", b'{"b":1,"a":2}'),
    ("unsorted-deep", "Names out of order, further in.", b'{"a":{"c":1,"b":2}}'),
    ("sorted-by-code-point", "Ordered by UTF-8 or code point, not UTF-16.", '{"\ufb33":1,"\U0001f600":2}'.encode()),
    ("depth-9-objects", "Nine levels.", b'{"a":' * 8 + b"{}" + b"}" * 8),
    ("depth-9-arrays", "Nine levels.", b"[" * 9 + b"]" * 9),
    ("depth-8000", "A tower of arrays.", b'{"a":' + b"[" * 8_000 + b"]" * 8_000 + b"}"),
    ("depth-8000-open", "A tower that is never closed.", b"[" * 8_000),
]


def area() -> Area:
    """Make the area ``canonical``."""
    made = Area("canonical", ABOUT)
    for case, why, entry in SOUND:
        made.add(case, why, {}, entry_json=entry)
    for case, why, entry in BROKEN:
        made.add(f"{case}_fail", why, {"code": ENTRY_MALFORMED}, entry_bin=entry)
    sorting = "RFC 8785 section 3.2.3: names in the order of their UTF-16 code units."
    made.add("rfc8785-sorting", sorting, {}, entry_json=RFC_SORTED, value_json=RFC_SORTING)
    strings = "RFC 8785 section 3.2.2: the string and the literals of the example, without its numbers."
    made.add("rfc8785-strings", strings, {}, entry_json=RFC_STRING_CANONICAL, value_json=RFC_STRING)
    unsorted = "RFC 8785 section 3.2.3: the example before it is sorted."
    made.add("rfc8785-unsorted_fail", unsorted, {"code": ENTRY_MALFORMED}, entry_bin=RFC_SORTING)
    for text, sound in RFC_NUMBERS:
        case = f"rfc8785-number-{text.replace('+', '')}"
        if sound:
            made.add(case, "RFC 8785 appendix B: an integer within 2^53-1.", {}, entry_json=canonical({"a": int(text)}))
        else:
            why = "RFC 8785 appendix B, and here no integer within 2^53-1."
            made.add(f"{case}_fail", why, {"code": ENTRY_MALFORMED}, entry_bin=b'{"a":%b}' % text.encode())
    return made
