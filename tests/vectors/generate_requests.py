"""Make the vectors of signed requests anew: ``python tests/vectors/generate_requests.py``."""

from __future__ import annotations

import sys
from base64 import b64encode
from dataclasses import dataclass, replace
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # pragma: no cover - as a script, it stands beside its package
    sys.path.insert(0, str(Path(__file__).parent.parent))

from vectors.cases import Family, write
from vectors.signers import Signer

INVALID = "signature-invalid"
NOW = 1_795_000_000
BETA = Signer("beta", seed="beta request")
GAMMA = Signer("gamma", seed="gamma request")
SIGNERS = {"beta/beta-request-1": BETA, "gamma/gamma-request-1": GAMMA}
KEYS = {name: one.private.public_key().public_bytes_raw().hex() for name, one in SIGNERS.items()}
SEEDS = {name: one.secret.hex() for name, one in SIGNERS.items()}
NONCE = "abcdefghijklmnopqrstuvwx"
BODY = b"old 0\n\nacme.example/pact/logs/listings-1\n"


def digest_of(body: bytes) -> str:
    return f"sha-256=:{b64encode(sha256(body).digest()).decode()}:"


@dataclass(frozen=True)
class Request:
    """A request, what its signature covers and says, and who made it."""

    method: str = "GET"
    url: str = "https://acme.example/pact/logs/listings-1/checkpoint"
    authority: str = "acme.example"
    path: str = "/pact/logs/listings-1/checkpoint"
    query: str = "?"
    components: tuple[str, ...] = ("@method", "@authority", "@path", "@query")
    parameters: str = f';created={NOW};expires={NOW + 60};keyid="beta/beta-request-1";tag="hashpact"'
    body: bytes = b""
    digest: str | None = None
    signer: Signer = BETA
    label: str = "sig1"

    @property
    def inner(self) -> str:
        names = " ".join(name if name.startswith('"') else f'"{name}"' for name in self.components)
        return f"({names}){self.parameters}"

    @property
    def base(self) -> str:
        """The signature base (RFC 9421, section 2.5)."""
        values = {
            "@method": self.method,
            "@authority": self.authority,
            "@path": self.path,
            "@query": self.query,
            "@scheme": "https",
            "content-digest": self.digest,
        }
        lines = []
        for name in self.components:
            bare = name.strip('"').partition('"')[0]
            quoted = name if name.startswith('"') else f'"{name}"'
            lines.append(f"{quoted}: {values[bare]}\n")
        return "".join(lines) + f'"@signature-params": {self.inner}'

    def headers(self) -> list[list[str]]:
        signature = b64encode(self.signer.private.sign(self.base.encode())).decode()
        found = [["signature-input", f"{self.label}={self.inner}"], ["signature", f"{self.label}=:{signature}:"]]
        return found if self.digest is None else [["content-digest", self.digest], *found]


GET = Request()
POST = Request(
    method="POST",
    url="https://acme.example/pact/witness/add-checkpoint",
    path="/pact/witness/add-checkpoint",
    components=("@method", "@authority", "@path", "@query", "content-digest"),
    parameters=f'{Request.parameters};nonce="{NONCE}"',
    body=BODY,
    digest=digest_of(BODY),
)


class Cases:
    """Adds cases of signed requests to their family."""

    def __init__(self, family: Family) -> None:
        self.family = family

    def takes(self, case: str, why: str, request: Request, **facts: Any) -> None:
        self._add(case, why, request, {"member": "beta", "key": "beta-request-1", "base": request.base, **facts})

    def refuses(self, case: str, why: str, request: Request, **facts: Any) -> None:
        self._add(f"{case}_fail", why, request, {**facts, "error": INVALID})

    def _add(self, case: str, why: str, request: Request, facts: dict[str, Any]) -> None:
        told = {
            "read": "request",
            "method": request.method,
            "url": request.url,
            "headers": request.headers(),
            "keys": KEYS,
            "seeds": SEEDS,
            "now": NOW,
            **facts,
        }
        self.family.add(case, why, told, body=request.body)


def with_parameters(request: Request, old: str, new: str) -> Request:
    assert old in request.parameters
    return replace(request, parameters=request.parameters.replace(old, new))


def taken(cases: Cases) -> None:
    cases.takes("get", "What a GET covers and says.", GET, nonce=None)
    cases.takes(
        "get-query",
        "A query is covered as it is written.",
        replace(GET, url=f"{GET.url}?a=%20b&a", query="?a=%20b&a"),
        nonce=None,
    )
    cases.takes("head", "HEAD is as GET.", replace(GET, method="HEAD"), nonce=None)
    cases.takes("post", "A POST covers its body, too, and has a nonce.", POST, nonce=NONCE)
    empty = replace(POST, body=b"", digest=digest_of(b""))
    cases.takes("post-empty", "The digest of an empty body is covered as well.", empty, nonce=NONCE)
    cases.takes(
        "order",
        "Components stand in any order, so long as they were signed in it.",
        replace(GET, components=tuple(reversed(GET.components))),
        nonce=None,
    )
    cases.takes(
        "alg", "The algorithm may be named.", replace(GET, parameters=f'{GET.parameters};alg="ed25519"'), nonce=None
    )
    cases.takes(
        "get-nonce",
        "A GET may have a nonce, which nobody remembers.",
        replace(GET, parameters=f'{GET.parameters};nonce="{NONCE}"'),
        nonce=None,
    )
    default = replace(GET, url=GET.url.replace("acme.example", "acme.example:443"))
    cases.takes("default-port", "The scheme's own port is no part of the authority.", default, nonce=None)
    other = GET.url.replace("acme.example", "acme.example:8443")
    cases.takes("port", "Another port is.", replace(GET, url=other, authority="acme.example:8443"), nonce=None)
    cases.takes("slow-clock", "A minute of difference between clocks is allowed.", GET, now=NOW - 60, nonce=None)
    cases.takes("late", "Also where it expired a minute ago.", GET, now=NOW + 120, nonce=None)
    both = [*GET.headers(), ["x-forwarded-host", "elsewhere.example"], ["host", "elsewhere.example"]]
    cases.takes("host", "What the request says of the host counts for nothing.", GET, headers=both, nonce=None)
    mixed = digest_of(BODY) + f", sha-512=:{b64encode(sha512(BODY).digest()).decode()}:"
    cases.takes("two-digests", "Every digest given must be right.", replace(POST, digest=mixed), nonce=NONCE)


def resent(request: Request, old: str, new: str) -> list[list[str]]:
    """Give the headers of a signed request in which Signature-Input is spelt otherwise than it was signed."""
    *digest, (name, value), signature = request.headers()
    assert old in value
    return [*digest, [name, value.replace(old, new, 1)], signature]


def padded(size: int) -> list[list[str]]:
    """Give the headers of GET with blanks within Signature-Input, so that its value has that many bytes."""
    short = len(GET.headers()[0][1])
    return resent(GET, '("@method" ', f'("@method"{" " * (size - short + 1)}')


def spelt_otherwise(cases: Cases) -> None:
    """What is signed is Signature-Input read and written again, and not as it stands."""
    tag = ';tag="hashpact"'
    spaced = resent(
        GET,
        f'("@method" "@authority" "@path" "@query");created={NOW};',
        f'( "@method" "@authority"  "@path" "@query"  ); created=0{NOW};',
    )
    cases.takes(
        "spelt-otherwise",
        "Parameters are signed as RFC 9651 writes them, not as they were sent: without blanks and leading zeros.",
        GET,
        headers=spaced,
        nonce=None,
    )
    twice = resent(GET, tag, f';tag="other"{tag}')
    cases.takes("parameter-twice", "Of a parameter given twice the last counts.", GET, headers=twice, nonce=None)
    first = replace(GET, parameters=f"{tag}{GET.parameters.removesuffix(tag)}")
    apart = resent(first, first.parameters, f';tag="other"{GET.parameters}')
    cases.takes(
        "parameter-apart", "It has the value of the last, in the place of the first.", first, headers=apart, nonce=None
    )
    cases.refuses("parameter-first", "The first does not count.", GET, headers=resent(GET, tag, f'{tag};tag="other"'))
    doubled_tag = with_parameters(GET, tag, f';tag="other"{tag}')
    cases.refuses("parameter-signed-twice", "Signed as it stands, with the parameter that does not count.", doubled_tag)
    cases.takes("at-limit", "A field of 1024 bytes.", GET, headers=padded(1024), nonce=None)
    cases.refuses("oversized", "A field of 1025 bytes.", GET, headers=padded(1025))
    (name, value), signature = GET.headers()
    cases.takes(
        "outer-blanks",
        "White space around a value is no part of it, however long.",
        GET,
        headers=[[name, f" {value}\t{' ' * 1024}"], signature],
        nonce=None,
    )


def not_covered(cases: Cases) -> None:
    """What a GET says beyond what is asked of it counts for nothing, so long as it is of its type."""
    cases.takes(
        "get-uncovered-digest",
        "A GET may carry a Content-Digest that its signature does not cover: nobody reads it.",
        GET,
        headers=[["content-digest", "sha-256=?"], *GET.headers()],
        nonce=None,
    )
    odd = replace(GET, parameters=f'{GET.parameters};nonce="a b"')
    cases.takes("get-odd-nonce", "Nor does anybody look at what a GET's nonce is made of.", odd, nonce=None)
    number = replace(GET, parameters=f"{GET.parameters};nonce=7")
    cases.refuses("get-nonce-number", "A nonce is a string all the same.", number)


def moved(cases: Cases) -> None:
    cases.refuses("none", "A request without a signature.", GET, headers=[["accept", "*/*"]])
    cases.refuses("half", "The input of a signature, and no signature.", GET, headers=GET.headers()[:1])
    for case, why, changed in [
        ("path", "Moved to another path.", replace(GET, url=GET.url.replace("listings", "crisis"))),
        ("host", "Moved to another host.", replace(GET, url=GET.url.replace("acme", "gamma"))),
        ("port", "Moved to another port.", replace(GET, url=GET.url.replace("acme.example", "acme.example:8443"))),
        ("query", "Given a query that it had not.", replace(GET, url=f"{GET.url}?x")),
        ("method", "Made a DELETE.", replace(POST, method="DELETE")),
    ]:
        original = POST if case == "method" else GET
        cases.refuses(f"moved-{case}", why, changed, headers=original.headers())
    cases.refuses("body", "With another body.", replace(POST, body=BODY + b" "), headers=POST.headers())
    other = [["content-digest", digest_of(b"other")], *POST.headers()[1:]]
    cases.refuses("digest", "With another body, and its digest.", replace(POST, body=b"other"), headers=other)
    wrong = mixed_digest()
    cases.refuses("one-digest-wrong", "Of two digests one is wrong.", replace(POST, digest=wrong))
    unknown = replace(POST, digest=f"md5=:{b64encode(b'0' * 16).decode()}:")
    cases.refuses("digest-unknown", "A digest by a hash that nobody should use.", unknown)
    beside = replace(POST, digest=f"{digest_of(BODY)}, md5=:{b64encode(b'0' * 16).decode()}:")
    cases.refuses("digest-beside", "Such a digest beside one that is right: it cannot be checked.", beside)
    again = replace(POST, digest=f"{digest_of(b'other')}, {digest_of(BODY)}")
    cases.refuses("digest-twice", "Two digests by one hash, of which the last is right.", again)
    cases.refuses("key-of-another", "Signed with a key of another member.", replace(GET, signer=GAMMA))
    stranger = with_parameters(GET, "beta/beta-request-1", "delta/delta-request-1")
    cases.refuses("stranger", "By a member that nobody knows.", stranger)
    old = with_parameters(GET, "beta-request-1", "beta-request-0")
    cases.refuses("key-unknown", "By a key that the card does not name.", old)
    named = with_parameters(GET, "beta/beta-request-1", "beta-request-1")
    cases.refuses("key-without-member", "The key's id alone does not say whose it is.", named)
    first, second = GET.headers()
    reordered = [[first[0], first[1].replace('"@method" "@authority"', '"@authority" "@method"')], second]
    cases.refuses("reordered", "Components put in another order after signing.", GET, headers=reordered)


def mixed_digest() -> str:
    return digest_of(BODY) + f", sha-512=:{b64encode(sha512(b'other').digest()).decode()}:"


def little(cases: Cases) -> None:
    for name in GET.components:
        left = tuple(one for one in GET.components if one != name)
        cases.refuses(f"without-{name[1:]}", f"{name} is not covered.", replace(GET, components=left))
    bare = replace(POST, components=GET.components)
    cases.refuses("without-digest", "The body's digest is not covered.", bare)
    cases.refuses("without-body", "A POST that covers no digest, and has none.", replace(bare, digest=None))
    cases.refuses("nothing", "Nothing is covered.", replace(GET, components=()))
    more = replace(GET, components=(*GET.components, "@scheme"))
    cases.refuses("more", "Something else is covered besides.", more)
    twice = replace(GET, components=(*GET.components, "@path"))
    cases.refuses("twice", "A component is covered twice.", twice)
    flagged = replace(GET, components=("@method", "@authority", "@path", '"@query";req'))
    cases.refuses("flagged", "A component of another message, as its parameter says.", flagged)
    digest = replace(GET, components=(*GET.components, "content-digest"), digest=digest_of(b""))
    cases.refuses("get-digest", "A GET covers no digest.", digest)
    for case, why, old, new in [
        ("no-tag", "No tag.", ';tag="hashpact"', ""),
        ("other-tag", "Another tag.", ';tag="hashpact"', ';tag="web-bot-auth"'),
        ("no-created", "Not when it was created.", f";created={NOW}", ""),
        ("no-expires", "Not when it expires.", f";expires={NOW + 60}", ""),
        ("long-life", "It lives longer than a minute.", f"expires={NOW + 60}", f"expires={NOW + 61}"),
        ("no-life", "It expires when it is created.", f"expires={NOW + 60}", f"expires={NOW}"),
        ("decimal", "Times are whole seconds.", f"created={NOW}", f"created={NOW}.0"),
        ("no-keyid", "Not by whose key.", ';keyid="beta/beta-request-1"', ""),
        ("keyid-token", "The key's name is a string.", 'keyid="beta/beta-request-1"', "keyid=beta"),
        ("other-alg", "Another algorithm.", ';tag="hashpact"', ';tag="hashpact";alg="hmac-sha256"'),
        ("unknown-parameter", "A parameter that nobody knows.", ';tag="hashpact"', ';tag="hashpact";scope="all"'),
    ]:
        cases.refuses(case, why, with_parameters(GET, old, new))
    for case, why, new in [
        ("no-nonce", "A POST without a nonce.", ""),
        ("short-nonce", "A nonce of 15 characters.", f';nonce="{NONCE[:15]}"'),
        ("long-nonce", "A nonce of 65 characters.", f';nonce="{"n" * 65}"'),
        ("spaced-nonce", "A nonce with a blank.", ';nonce="abcdefgh abcdefgh"'),
    ]:
        cases.refuses(case, why, with_parameters(POST, f';nonce="{NONCE}"', new))
    cases.refuses("future", "Created more than a minute from now.", GET, now=NOW - 61)
    cases.refuses("expired", "Expired more than a minute ago.", GET, now=NOW + 121)


def doubled(cases: Cases) -> None:
    first, second = GET.headers()
    other = replace(GET, label="sig2").headers()
    both = [[first[0], f"{first[1]}, {other[0][1]}"], [second[0], f"{second[1]}, {other[1][1]}"]]
    cases.refuses("two-labels", "Two signatures.", GET, headers=both)
    cases.refuses("two-lines", "Two lines of Signature-Input, though alike.", GET, headers=[first, first, second])
    cases.refuses("two-signatures", "Two lines of Signature.", GET, headers=[first, second, second])
    cases.refuses(
        "two-digest-lines", "Two lines of Content-Digest.", POST, headers=[POST.headers()[0], *POST.headers()]
    )
    same = [[first[0], f"{first[1]}, {first[1]}"], second]
    cases.refuses("label-twice", "One label twice.", GET, headers=same)
    apart = [first, [second[0], second[1].replace("sig1", "sig2")]]
    cases.refuses("labels-differ", "Input and signature under two labels.", GET, headers=apart)
    for case, why, headers in [
        ("no-list", "The input is no list.", [[first[0], "sig1=1"], second]),
        ("no-bytes", "The signature is no byte sequence.", [first, [second[0], "sig1=1"]]),
        ("no-dictionary", "No structured field.", [[first[0], "((("], second]),
        ("short", "The signature is 63 bytes long.", [first, [second[0], f"sig1=:{b64encode(b'0' * 63).decode()}:"]]),
        ("empty", "Both fields are empty.", [[first[0], ""], [second[0], ""]]),
        ("no-ascii", "Characters beyond ASCII.", [[first[0], first[1] + ';x="\u00e9"'], second]),
    ]:
        cases.refuses(case, why, GET, headers=headers)


def request_family() -> Family:
    """Make the family ``requests``."""
    family = Family("requests")
    for part in (taken, spelt_otherwise, not_covered, moved, little, doubled):
        part(Cases(family))
    return family


if __name__ == "__main__":  # pragma: no cover - the test calls request_family
    write([request_family()])
