"""Make the vectors of names anew: ``python tests/vectors/generate_names.py``."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # pragma: no cover - as a script, it stands beside its package
    sys.path.insert(0, str(Path(__file__).parent.parent))

from vectors.cases import Family, write

MALFORMED = "name-malformed"
URL = "https://acme.example/hash"
LONGEST_HOST = f"{'.'.join(['a' * 63] * 3)}.{'b' * 61}"


def member_ids(names: Family) -> None:
    for case, why, text in [
        ("short", "Two characters are the least.", "ab"),
        ("long", "63 characters are the most.", "a" * 63),
        ("digit", "A digit may stand first.", "4-you"),
        ("hyphens", "Hyphens may stand anywhere but first.", "a--b-"),
    ]:
        names.add(f"id-{case}", why, {"read": "member-id", "text": text})
    for case, why, text in [
        ("one-character", "One character is too few.", "a"),
        ("too-long", "64 characters are too many.", "a" * 64),
        ("empty", "Nothing is no id.", ""),
        ("hyphen-first", "A hyphen does not stand first.", "-acme"),
        ("upper-case", "Letters are lower-case.", "Acme"),
        ("underscore", "An underscore is none of the characters.", "acme_video"),
        ("newline", "Nothing follows the id.", "acme\n"),
        ("other-letter", "Letters are ASCII.", "acm\u00e9"),
        ("other-digit", "Digits are ASCII.", "acme\u0661"),
    ]:
        names.add(f"id-{case}_fail", why, {"read": "member-id", "text": text, "error": MALFORMED})


def member_urls(names: Family) -> None:
    for case, why, text, prefix in [
        ("host", "A host alone.", "https://acme.example", "acme.example"),
        ("path", "A path of two segments.", "https://acme.example/hash/pact", "acme.example/hash/pact"),
        (
            "path-characters",
            "Every character that a segment may have.",
            "https://a.example/Az09._~-",
            "a.example/Az09._~-",
        ),
        ("three-dots", "Three dots are a plain segment.", "https://acme.example/...", "acme.example/..."),
        ("port", "A port belongs to the name.", "https://acme.example:8443", "acme.example:8443"),
        ("port-most", "65535 is the last port.", "https://acme.example:65535", "acme.example:65535"),
        ("port-of-the-other-scheme", "80 is not the default of https.", "https://acme.example:80", "acme.example:80"),
        (
            "punycode",
            "A name with other letters in its ASCII form.",
            "https://xn--acm-dma.example",
            "xn--acm-dma.example",
        ),
        ("single-label", "A name inside a network.", "https://node-1", "node-1"),
        ("label-63", "A label has at most 63 characters.", f"https://{'a' * 63}.example", f"{'a' * 63}.example"),
        ("host-253", "A host has at most 253 characters.", f"https://{LONGEST_HOST}", LONGEST_HOST),
        ("ipv4", "An IPv4 address in its usual spelling.", "https://192.0.2.7", "192.0.2.7"),
        ("ipv6", "An IPv6 address in its usual spelling.", "https://[2001:db8::1]:8443", "[2001:db8::1]:8443"),
        ("http-localhost", "http is for loopback.", "http://localhost:8000", "localhost:8000"),
        ("http-127", "All of 127.0.0.0/8 is loopback.", "http://127.255.0.2:8000", "127.255.0.2:8000"),
        ("http-ipv6", "::1 is loopback.", "http://[::1]:8000/a", "[::1]:8000/a"),
    ]:
        names.add(f"url-{case}", why, {"read": "member-url", "text": text, "prefix": prefix})
    for case, why, text in [
        ("http", "http is for loopback only.", "http://acme.example"),
        ("http-private", "A private network is no loopback.", "http://192.168.0.1:8000"),
        ("http-below-localhost", "Only localhost itself is loopback.", "http://acme.localhost"),
        ("http-ipv6", "Only ::1 is loopback.", "http://[::2]:8000"),
        ("other-scheme", "The scheme is http or https.", "ftp://acme.example"),
        ("no-scheme", "The scheme belongs to it.", "acme.example"),
        ("upper-case-scheme", "The scheme is lower-case.", "HTTPS://acme.example"),
        ("upper-case-host", "The host is lower-case.", "https://Acme.example"),
        ("other-letters", "The host is ASCII.", "https://acm\u00e9.example"),
        ("no-host", "A host belongs to it.", "https:///hash"),
        ("dot-last", "A final dot would be a second name for one host.", "https://acme.example."),
        ("empty-label", "No label is empty.", "https://acme..example"),
        ("label-64", "A label of 64 characters.", f"https://{'a' * 64}.example"),
        ("host-254", "A host of 254 characters.", f"https://{LONGEST_HOST}b"),
        ("hyphen-first", "A label does not begin with a hyphen.", "https://-acme.example"),
        ("hyphen-last", "A label does not end with a hyphen.", "https://acme-.example"),
        ("underscore", "An underscore is no letter of host names.", "https://ac_me.example"),
        ("ipv4-decimal", "An address as one number.", "https://3221225985"),
        ("ipv4-hexadecimal", "An address in hexadecimal.", "https://0xc0.0.2.0x1"),
        ("ipv4-short", "An address with parts left out.", "http://127.1"),
        ("ipv4-octal", "An address with leading zeros.", "http://127.0.0.01"),
        ("ipv4-in-brackets", "An IPv4 address has no brackets.", "http://[127.0.0.1]"),
        ("ipv6-long", "Zeros that are usually left out.", "https://[2001:db8:0:0:0:0:0:1]"),
        ("ipv6-upper-case", "Hexadecimal digits are lower-case.", "https://[2001:DB8::1]"),
        ("ipv6-mapped", "An IPv4 address written as IPv6.", "https://[::ffff:c000:207]"),
        ("ipv6-mapped-dotted", "An IPv4 address written as IPv6.", "https://[::ffff:192.0.2.7]"),
        ("ipv6-zone", "A zone id.", "https://[fe80::1%25eth0]"),
        ("ipv6-empty", "No address between the brackets.", "https://[::1::]"),
        ("ipv6-without-brackets", "Brackets belong to it.", "https://2001:db8::1"),
        ("default-port", "443 is left out.", "https://acme.example:443"),
        ("default-port-http", "80 is left out.", "http://localhost:80"),
        ("port-empty", "A colon without a port.", "https://acme.example:"),
        ("port-zero", "There is no port 0.", "https://acme.example:0"),
        ("port-leading-zero", "A port has no leading zeros.", "https://acme.example:08443"),
        ("port-too-large", "There is no port 65536.", "https://acme.example:65536"),
        ("slash-last", "No slash at the end.", "https://acme.example/hash/"),
        ("slash-alone", "No slash at the end, where there is no path either.", "https://acme.example/"),
        ("empty-segment", "No segment is empty.", "https://acme.example/hash//pact"),
        ("dot-segment", "A dot is no segment.", "https://acme.example/./hash"),
        ("dots-segment", "Two dots are no segment.", "https://acme.example/hash/../pact"),
        ("escape", "Nothing is escaped in a path.", "https://acme.example/%2e%2e"),
        ("plus", "A plus parts key name and key id.", "https://acme.example/a+b"),
        ("query", "No query.", "https://acme.example/hash?x=1"),
        ("fragment", "No fragment.", "https://acme.example/hash#x"),
        ("user", "No user.", "https://user@acme.example"),
        ("backslash", "A backslash, which some read as a slash.", "https://acme.example\\hash"),
        ("space", "Nothing stands before the scheme.", " https://acme.example"),
        ("newline", "Nothing follows the URL.", "https://acme.example\n"),
        ("newline-after-path", "Nothing follows the path.", "https://acme.example/hash\n"),
    ]:
        names.add(f"url-{case}_fail", why, {"read": "member-url", "text": text, "error": MALFORMED})


def pairs(names: Family) -> None:
    for case, why, first, second, collide in [
        ("same", "One URL.", URL, URL, True),
        ("below", "One lies below the other.", "https://acme.example", URL, True),
        ("schemes", "The scheme is no part of a name.", "http://localhost", "https://localhost", True),
        ("neighbours", "Whole segments are compared.", URL, "https://acme.example/hashes", False),
        ("hosts", "Whole hosts are compared.", "https://acme.example", "https://acme.example.org", False),
        ("ports", "Another port is another name.", "https://acme.example", "https://acme.example:8443", False),
    ]:
        names.add(f"pair-{case}", why, {"read": "pair", "first": first, "second": second, "collide": collide})


def names_below(names: Family) -> None:
    for case, why, read, text in [
        ("origin", "A log below its member.", "origin", "acme.example/hash/logs/listings-1"),
        ("witness", "A witness key's name.", "witness-name", "acme.example/hash/witness-1"),
        ("witness-many", "Numbers grow.", "witness-name", "acme.example/hash/witness-120"),
    ]:
        names.add(f"below-{case}", why, {"read": read, "member_url": URL, "text": text})
    for case, why, read, text in [
        ("origin-of-another", "A log of another member.", "origin", "beta.example/logs/listings-1"),
        ("origin-neighbour", "Whole segments are compared.", "origin", "acme.example/hashes/listings-1"),
        ("origin-itself", "The member is no log.", "origin", "acme.example/hash"),
        ("origin-empty-path", "A path belongs to it.", "origin", "acme.example/hash/"),
        ("origin-dots", "No way up.", "origin", "acme.example/hash/../listings-1"),
        ("origin-escape", "Nothing is escaped.", "origin", "acme.example/hash/a%2fb"),
        ("origin-with-scheme", "An origin has no scheme.", "origin", "https://acme.example/hash/logs/listings-1"),
        ("witness-of-another", "A witness of another member.", "witness-name", "beta.example/witness-1"),
        ("witness-deeper", "It stands right below the member.", "witness-name", "acme.example/hash/a/witness-1"),
        ("witness-no-number", "A number belongs to it.", "witness-name", "acme.example/hash/witness"),
        ("witness-word", "A number, not a word.", "witness-name", "acme.example/hash/witness-one"),
        ("witness-leading-zero", "No leading zeros.", "witness-name", "acme.example/hash/witness-01"),
    ]:
        facts = {"read": read, "member_url": URL, "text": text, "error": MALFORMED}
        names.add(f"below-{case}_fail", why, facts)


def name_family() -> Family:
    """Make the family ``names``."""
    names = Family("names")
    for part in (member_ids, member_urls, pairs, names_below):
        part(names)
    return names


if __name__ == "__main__":  # pragma: no cover - the test calls name_family
    write([name_family()])
