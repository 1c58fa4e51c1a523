"""Make the vectors of reading checkpoints anew: ``python tests/vectors/generate_follow.py``.

In all of them ``delta`` reads a log of ``acme``; ``beta``, ``gamma`` and ``epsilon`` are the other members.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # pragma: no cover - as a script, it stands beside its package
    sys.path.insert(0, str(Path(__file__).parent.parent))

from vectors.cases import Family, write
from vectors.signers import Signer, base64, checkpoint_text

Json = Any
NOW = 1_795_500_000
FROM, UNTIL = NOW - 1_000_000, NOW + 1_000_000
ORIGIN = "acme.example/logs/listings-1"
KEY = Signer(ORIGIN, seed="release")
NEXT_KEY = Signer(ORIGIN, seed="release-2")
OTHER_KEY = Signer("acme.example/logs/crisis-1", seed="crisis")
OWN = Signer("acme.example/witness-1", 4, "acme-witness")
OWN_OLD = Signer("acme.example/witness-2", 4, "acme-witness-2")
BETA = Signer("beta.example/witness-1", 4, "beta-witness")
BETA_SECOND = Signer("beta.example/witness-2", 4, "beta-witness-2")
GAMMA = Signer("gamma.example/witness-1", 4, "gamma-witness")
# Epsilon lists keys of three others as its own.
EPSILON = Signer("epsilon.example/witness-1", 4, "beta-witness")
EPSILON_AS_OWN = Signer("epsilon.example/witness-2", 4, "acme-witness")
EPSILON_AS_READER = Signer("epsilon.example/witness-3", 4, "delta-witness")
READER = Signer("delta.example/witness-1", 4, "delta-witness")
STRANGER = Signer("zeta.example/witness-1", 4, "zeta-witness")


def root(size: int, story: str = "") -> str:
    """The root of one of the made-up stories at a size, in base64."""
    return base64(sha256(f"root {size}{story}".encode() if size or story else b"").digest())


def text(size: int, story: str = "", origin: str = ORIGIN, *more: str) -> str:
    """The checkpoint of a story at a size."""
    return checkpoint_text(str(size), root(size, story), origin, *more)


def keys(*signers: Signer, start: int = FROM, end: int = UNTIL) -> list[Json]:
    """Witness keys with their validity, in Unix seconds."""
    return [{"key": signer.vkey, "from": start, "until": end} for signer in signers]


def facts(**fields: Json) -> dict[str, Json]:
    """What every case says, unless fields say otherwise: nobody is waited for, 100 entries are accepted."""
    trust = {
        "origin": ORIGIN,
        "keys": [KEY.vkey],
        "other_keys": [OTHER_KEY.vkey],
        "publisher": "acme",
        "reader": "delta",
        "publisher_witness": keys(OWN) + keys(OWN_OLD, end=NOW - 1000),
        "witnesses": {
            "acme": keys(OWN),
            "beta": keys(BETA, BETA_SECOND),
            "delta": keys(READER),
            "epsilon": keys(EPSILON, EPSILON_AS_OWN, EPSILON_AS_READER),
            "gamma": keys(GAMMA),
        },
    }
    usual = {"read": "follow", "now": NOW, "require_witnesses": 0, "held": {"size": 100, "root": root(100)}}
    return usual | {"roots": {"50": root(50), "100": root(100)}, "trust": trust} | fields


def expect(verdict: str, *cosigners: str, own: int | None = None, notices: int = 0) -> dict[str, Json]:
    """What an accepted case leads to."""
    return {"verdict": verdict, "cosigners": list(cosigners), "own_cosigned_at": own, "notices": notices}


def signed(checkpoint: str, *lines: str) -> bytes:
    """A note that the log signed, with more lines."""
    return f"{checkpoint}\n{KEY.sign(checkpoint)}{''.join(lines)}".encode()


ACCEPTED = signed(text(100))


def sizes(follow: Family) -> None:
    rows: list[tuple[str, str, int, dict[str, Json], dict[str, Json]]] = [
        ("first", "The first checkpoint of a log.", 7, expect("grown"), {"held": None, "roots": {}}),
        ("first-empty", "A log without entries.", 0, expect("grown"), {"held": None, "roots": {}}),
        ("no-news", "The accepted size and root.", 100, expect("no-news"), {}),
        ("grown", "A larger size.", 101, expect("grown"), {}),
        ("grown-2-32", "The largest log.", 2**32, expect("grown"), {}),
        (
            "grown-and-held",
            "A larger size at which the reader holds that root.",
            150,
            expect("grown"),
            {"roots": {"150": root(150)}},
        ),
        ("old-answer", "A smaller size whose root the reader confirms.", 50, expect("old-answer"), {}),
        ("old-answer-empty", "Every log once had no entries.", 0, expect("old-answer"), {"roots": {"0": root(0)}}),
        (
            "old-answer-unconfirmed",
            "A smaller size that the reader cannot confirm yet.",
            60,
            expect("old-answer", notices=1),
            {},
        ),
    ]
    for case, why, size, expected, more in rows:
        follow.add(case, why, facts(**more, **expected), note=signed(text(size)), accepted=ACCEPTED)
    forks: list[tuple[str, str, str, dict[str, Json]]] = [
        ("fork-same-size", "Another root at the accepted size.", text(100, "other"), {}),
        ("fork-smaller", "Another root at a smaller size.", text(50, "other"), {}),
        ("fork-held", "Another root at a larger size that is held.", text(150, "other"), {"roots": {"150": root(150)}}),
        (
            "fork-unaccepted",
            "Another root than that held, before anything was accepted.",
            text(50, "other"),
            {"held": None},
        ),
    ]
    for case, why, checkpoint, more in forks:
        case_facts = facts(**more, error="log-forked")
        follow.add(f"{case}_fail", why, case_facts, note=signed(checkpoint), accepted=ACCEPTED)
    for case, why, checkpoint in [
        ("too-large", "One entry more than 2**32.", text(2**32 + 1)),
        ("empty-root", "At size 0 there is one root.", text(0, "other")),
        ("origin", "Another log's checkpoint, by this log's key.", text(101, "", OTHER_KEY.name)),
    ]:
        note = signed(checkpoint)
        follow.add(f"{case}_fail", why, facts(error="verification-failed"), note=note, accepted=ACCEPTED)


def signatures(follow: Family) -> None:
    checkpoint = text(101)
    wrong = bytes(64)

    def add(case: str, why: str, lines: str, *, checkpoint: str = checkpoint, **fields: Json) -> None:
        note = f"{checkpoint}\n{lines}".encode()
        follow.add(case, why, facts(**fields), note=note, accepted=ACCEPTED)

    grown, right = expect("grown"), KEY.sign(checkpoint)
    both = facts()["trust"] | {"keys": [KEY.vkey, NEXT_KEY.vkey]}
    add("rotation", "Both keys of the log signed.", right + NEXT_KEY.sign(checkpoint), trust=both, **grown)
    add("rotation-one", "One of the log's two keys is enough.", NEXT_KEY.sign(checkpoint), trust=both, **grown)
    add("other-log-too", "Another log's right signature changes nothing.", right + OTHER_KEY.sign(checkpoint), **grown)
    unknown = STRANGER.cosign(checkpoint) + NEXT_KEY.line(wrong)
    add("strangers", "Signatures by keys that no card names are ignored.", right + unknown, **grown)
    more = text(101, "", ORIGIN, "an extension")
    add("extension", "An extension line means nothing.", KEY.sign(more), checkpoint=more, **grown)
    lines = right + "".join(Signer(f"s{n}.example/x", seed=f"{n}").sign(checkpoint) for n in range(15))
    add("signatures-16", "16 signatures are read.", lines, **grown)
    lines += STRANGER.cosign(checkpoint)
    add("signatures-17_fail", "17 signatures are too many.", lines, error="note-malformed")
    for case, why, lines in [
        ("unsigned-by-us", "Signed by a stranger alone.", STRANGER.sign(checkpoint)),
        ("retired-key", "Signed by a key that the card no longer names.", NEXT_KEY.sign(checkpoint)),
        ("other-log", "Signed by the key of another log alone.", OTHER_KEY.sign(checkpoint)),
        ("witness-alone", "Cosigned by the publisher's witness alone.", OWN.cosign(checkpoint)),
        ("wrong", "A wrong signature by the log's key.", KEY.line(wrong)),
        ("wrong-after-right", "A wrong signature by the log's key beside a right one.", right + KEY.line(wrong)),
        ("wrong-other-log", "A wrong signature by another log's key.", right + OTHER_KEY.line(wrong)),
        ("wrong-witness", "A wrong cosignature by the publisher.", right + OWN.line(bytes(8) + wrong)),
        ("wrong-old-witness", "A wrong one by a witness key out of its time.", right + OWN_OLD.line(bytes(8) + wrong)),
    ]:
        add(f"{case}_fail", why, lines, error="signature-invalid")


def freshness(follow: Family) -> None:
    checkpoint = text(100)

    def add(case: str, why: str, own: int | None, *lines: str) -> None:
        note = signed(checkpoint, *lines)
        follow.add(f"own-{case}", why, facts(**expect("no-news", own=own)), note=note, accepted=ACCEPTED)

    add("none", "Others' cosignatures do not make a log fresh.", None, BETA.cosign(checkpoint, FROM - 1))
    add("cosigned", "Its publisher cosigned.", NOW - 60, OWN.cosign(checkpoint, NOW - 60))
    add("newest", "The newest of several.", NOW - 5, OWN.cosign(checkpoint, NOW - 60), OWN.cosign(checkpoint, NOW - 5))
    add("old", "An old one is told as it is.", FROM, OWN.cosign(checkpoint, FROM))
    add("skew", "Five minutes ahead.", NOW + 300, OWN.cosign(checkpoint, NOW + 300))
    add("ahead", "Beyond five minutes ahead it counts as none.", None, OWN.cosign(checkpoint, NOW + 301))
    both = (OWN.cosign(checkpoint, NOW - 9), OWN.cosign(checkpoint, NOW + 301))
    add("ahead-and-not", "One beyond the skew does not hide another.", NOW - 9, *both)
    add("early", "Before its key is valid.", None, OWN.cosign(checkpoint, FROM - 1))
    add("late", "After its key was valid.", None, OWN_OLD.cosign(checkpoint, NOW - 999))
    add("last", "The last second of its key.", NOW - 1000, OWN_OLD.cosign(checkpoint, NOW - 1000))
    for case, size, own, notices in [("confirmed", 50, NOW, 0), ("unconfirmed", 60, None, 1)]:
        why = f"An old answer that is {case}."
        expected = expect("old-answer", own=own, notices=notices)
        note = signed(text(size), OWN.cosign(text(size), NOW))
        follow.add(f"own-on-old-answer-{case}", why, facts(**expected), note=note, accepted=ACCEPTED)


def witnesses(follow: Family) -> None:
    checkpoint = text(101)

    def add(case: str, why: str, expected: dict[str, Json], lines: str, *, asked: int = 1, size: int = 101) -> None:
        note = signed(text(size), lines)
        case_facts = facts(require_witnesses=asked, **expected)
        follow.add(f"witness-{case}", why, case_facts, note=note, accepted=ACCEPTED)

    beta, gamma = BETA.cosign(checkpoint, NOW), GAMMA.cosign(checkpoint, NOW)
    add("none", "Nobody cosigned, and one is asked for.", expect("waiting"), "")
    add("one", "One cosigned, and one is asked for.", expect("grown", "beta"), beta)
    add("one-of-two", "One cosigned, and two are asked for.", expect("waiting", "beta"), beta, asked=2)
    add("two", "Two cosigned.", expect("grown", "beta", "gamma"), gamma + beta, asked=2)
    again = beta + BETA.cosign(checkpoint, NOW - 1) + BETA_SECOND.cosign(checkpoint, NOW)
    add("two-keys", "One member with two keys is one member.", expect("waiting", "beta"), again, asked=2)
    add("publisher", "The publisher does not count.", expect("waiting", own=NOW), OWN.cosign(checkpoint, NOW))
    add("reader", "The reader does not count.", expect("waiting"), READER.cosign(checkpoint, NOW))
    shared = EPSILON.cosign(checkpoint, NOW)
    add("shared-key", "A key that two members list counts once.", expect("waiting", "beta"), beta + shared, asked=2)
    more = shared + beta + BETA_SECOND.cosign(checkpoint, NOW)
    why = "A member with a key of its own leaves the shared one to the other."
    add("shared-and-own-key", why, expect("grown", "beta", "epsilon"), more, asked=2)
    add(
        "key-of-publisher",
        "The publisher's key under another name.",
        expect("waiting"),
        EPSILON_AS_OWN.cosign(checkpoint, NOW),
    )
    add(
        "key-of-reader",
        "The reader's key under another name.",
        expect("waiting"),
        EPSILON_AS_READER.cosign(checkpoint, NOW),
    )
    add("stranger", "A stranger does not count.", expect("waiting"), STRANGER.cosign(checkpoint, NOW))
    add("first-second", "The first second of a key.", expect("grown", "beta"), BETA.cosign(checkpoint, FROM))
    add(
        "last-second", "The last second, though it lies ahead.", expect("grown", "beta"), BETA.cosign(checkpoint, UNTIL)
    )
    add("early", "Before its key is valid.", expect("waiting"), BETA.cosign(checkpoint, FROM - 1))
    add("late", "After its key was valid.", expect("waiting"), BETA.cosign(checkpoint, UNTIL + 1))
    wrong = BETA.cosign(text(102), NOW)
    add("wrong", "A wrong cosignature of another member counts as none.", expect("waiting", notices=1), wrong)
    add("wrong-and-right", "A wrong one hides no right one.", expect("grown", "beta", notices=1), wrong + beta)
    add("wrong-and-others", "A wrong one hides no other.", expect("grown", "gamma", notices=1), wrong + gamma)
    short = BETA.line(b"short")
    add("malformed", "A cosignature of another length counts as none.", expect("waiting", notices=1), short)
    add("no-news", "The accepted root is never refused.", expect("no-news"), "", asked=5, size=100)
    add("old-answer", "An old answer waits for nobody.", expect("old-answer"), "", asked=5, size=50)


def follow_family() -> Family:
    """Make the family ``follow``."""
    follow = Family("follow")
    for part in (sizes, signatures, freshness, witnesses):
        part(follow)
    return follow


if __name__ == "__main__":  # pragma: no cover - the test calls follow_family
    write([follow_family()])
