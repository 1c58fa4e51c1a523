"""Make the vectors of notes anew: ``python tests/vectors/generate_notes.py``."""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path

if __name__ == "__main__":  # pragma: no cover - as a script, it stands beside its package
    sys.path.insert(0, str(Path(__file__).parent.parent))

from vectors.cases import Family, write
from vectors.curve import canonical, encodings, not_reduced, small_order, smallest_y
from vectors.signers import LOG, OTHER, ROOT_HASH, WITNESSES, Signer, base64, checkpoint_text

MALFORMED = "note-malformed"
WRONG = "signature-invalid"


TEXT = "An example text.\n\nIt has two paragraphs.\n"


def note_facts(*keys: Signer, read: str = "note", **facts: object) -> dict[str, object]:
    return {"read": read, "keys": [key.vkey for key in keys], **facts}


def published(notes: Family) -> None:
    foo = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    text = "This is an example message.\n"
    signature = "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
    line = f"\u2014 example.com/foo {signature}\n"
    facts: dict[str, object] = {"read": "note", "keys": [foo], "text": text, "signers": ["example.com/foo"]}
    notes.add(
        "published-example", "The example of C2SP signed-note, with its key.", facts, note=f"{text}\n{line}".encode()
    )
    altered = f"{text.replace('an', 'no')}\n{line}".encode()
    facts = {"read": "note", "keys": [foo], "error": WRONG}
    notes.add(
        "published-example-altered_fail", "The example of C2SP signed-note with another text.", facts, note=altered
    )
    sofa = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "\u2014 example.com/behind-the-sofa "
        "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE"
        "+xeMcTOAYQ8=\n"
        "\u2014 witness.example.com/w1 "
        "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe"
        "+mbIUBkBIfZ+qnA==\n"
    )
    unsigned: dict[str, object] = {
        "read": "checkpoint-unsigned",
        "keys": [],
        "origin": "example.com/behind-the-sofa",
        "size": 20852163,
        "root": "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62",
        "extensions": [],
        "lines": [["example.com/behind-the-sofa", "033de0ae"], ["witness.example.com/w1", "8d66cf3f"]],
        "timestamp": 1679315147,
    }
    why = "The example of C2SP tlog-checkpoint and tlog-cosignature, whose keys are not published: form alone."
    notes.add("published-checkpoint", why, unsigned, note=sofa.encode())


def accepted_notes(notes: Family) -> None:
    signed = note_facts(LOG, signers=[LOG.name], text=TEXT)
    line = LOG.sign(TEXT)
    notes.add("plain", "A text with an empty line in it, signed once.", signed, note=f"{TEXT}\n{line}".encode())
    text = "\n\nTwo empty lines before, and two after.\n\n\n"
    facts = note_facts(LOG, signers=[LOG.name], text=text)
    notes.add(
        "empty-lines",
        "Text and signatures part at the last empty line.",
        facts,
        note=f"{text}\n{LOG.sign(text)}".encode(),
    )
    facts = note_facts(LOG, signers=[LOG.name], text="\n")
    notes.add("only-a-newline", "A text of one newline is a text.", facts, note=f"\n\n{LOG.sign(chr(10))}".encode())
    others = [Signer(f"stranger{number}.example/key", seed=f"s{number}") for number in range(15)]
    lines = "".join(other.sign("anything\n") for other in others) + line
    notes.add(
        "signatures-16",
        "16 signatures are read, and those by unknown keys are ignored.",
        signed,
        note=f"{TEXT}\n{lines}".encode(),
    )
    twin = Signer(LOG.name, seed="twin")
    lines = twin.sign("anything\n") + line
    notes.add(
        "same-name-other-id",
        "An unknown key with the name of a known one is ignored.",
        signed,
        note=f"{TEXT}\n{lines}".encode(),
    )
    alias = f"\u2014 alias.example/key {base64(LOG.key_id + bytes(64))}\n"
    notes.add(
        "same-id-other-name",
        "An unknown key with the id of a known one is ignored.",
        signed,
        note=f"{TEXT}\n{alias}{line}".encode(),
    )
    notes.add("signed-twice", "One key that signed twice is one signer.", signed, note=f"{TEXT}\n{line}{line}".encode())
    facts = note_facts(LOG, OTHER, signers=[OTHER.name, LOG.name], text=TEXT)
    notes.add(
        "two-signers",
        "Two known keys, in the order of the note.",
        facts,
        note=f"{TEXT}\n{OTHER.sign(TEXT)}{line}".encode(),
    )
    short = f"\u2014 stranger.example/key {base64(b'12345')}\n"
    notes.add(
        "unknown-kind-of-signature",
        "A signature by an unknown key may have any length.",
        signed,
        note=f"{TEXT}\n{short}{line}".encode(),
    )


def refused_notes(notes: Family) -> None:
    line, facts = LOG.sign(TEXT), note_facts(LOG, error=MALFORMED)
    encoded = line.split(" ")[2]
    strangers = "".join(Signer(f"stranger{number}.example/key").line(bytes(64)) for number in range(16))
    for case, why, note in [
        ("no-final-newline", "The last signature line does not end.", f"{TEXT}\n{line}".rstrip("\n")),
        ("no-empty-line", "Nothing parts text and signature.", f"A text.\n{line}"),
        ("no-text", "A note begins with its text.", f"\n{line}"),
        ("no-signatures", "There is no signature line.", f"{TEXT}\n"),
        ("empty", "Nothing at all.", ""),
        ("carriage-return", "Lines end in a newline alone.", f"{TEXT}\n{line}".replace("\n", "\r\n")),
        ("carriage-return-in-signature", "A signature line ends in a newline alone.", f"{TEXT}\n{line[:-1]}\r\n"),
        ("tab", "A tab is a control character.", f"A\ttext.\n\n{LOG.sign('A' + chr(9) + 'text.' + chr(10))}"),
        ("nul", "U+0000 is a control character.", f"A\0text.\n\n{line}"),
        ("escape", "U+001B could write over a terminal.", f"A\x1b[2Jtext.\n\n{line}"),
        ("signatures-17", "17 signatures are one too many, whoever made them.", f"{TEXT}\n{line}{strangers}"),
        ("hyphen", "A signature line begins with an em dash.", f"{TEXT}\n{line.replace(chr(0x2014), '-')}"),
        (
            "no-space-after-dash",
            "A space follows the em dash.",
            f"{TEXT}\n{line.replace(chr(0x2014) + ' ', chr(0x2014))}",
        ),
        (
            "two-spaces",
            "One space stands between name and signature.",
            f"{TEXT}\n{line.replace(LOG.name, LOG.name + ' ')}",
        ),
        ("trailing-space", "Nothing follows the signature.", f"{TEXT}\n{line[:-1]} \n"),
        ("text-among-signatures", "Below the last empty line stand signatures only.", f"{TEXT}\n{line}more text\n"),
        ("name-empty", "A key name is not empty.", f"{TEXT}\n\u2014  {encoded}"),
        ("name-with-plus", "A key name has no plus.", f"{TEXT}\n\u2014 acme+1.example {encoded}"),
        ("name-with-no-break-space", "U+00A0 is a space.", f"{TEXT}\n\u2014 acme\u00a0example {encoded}"),
        ("name-with-ideographic-space", "U+3000 is a space.", f"{TEXT}\n\u2014 acme\u3000example {encoded}"),
        ("name-with-line-separator", "U+2028 is a space.", f"{TEXT}\n\u2014 acme\u2028example {encoded}"),
        ("signature-empty", "A signature line has a signature.", f"{TEXT}\n\u2014 {LOG.name} \n"),
        (
            "signature-of-key-id-alone",
            "Something follows the key id.",
            f"{TEXT}\n\u2014 {LOG.name} {base64(LOG.key_id)}\n",
        ),
        ("signature-of-three-bytes", "A key id has four bytes.", f"{TEXT}\n\u2014 {LOG.name} {base64(b'abc')}\n"),
        ("base64-alphabet", "A letter outside of the alphabet.", f"{TEXT}\n{line[:-10]}!{line[-9:]}"),
        (
            "base64-url",
            "The alphabet is that of RFC 4648, section 4.",
            f"{TEXT}\n\u2014 {LOG.name} {base64(bytes([255]) * 69).replace('/', '_')}\n",
        ),
        ("base64-no-padding", "Padding belongs to it.", f"{TEXT}\n{line.rstrip(chr(10) + '=')}\n"),
        ("base64-too-much-padding", "Padding as needed, no more.", f"{TEXT}\n{line[:-1]}=\n"),
        (
            "base64-spare-bits",
            "The bits behind the last byte are zero.",
            f"{TEXT}\n\u2014 {LOG.name} {base64(bytes(67))[:-2]}B=\n",
        ),
        ("too-large", "16 KiB is the end.", f"{'x' * 16_384}\n\n{line}"),
    ]:
        notes.add(f"{case}_fail", why, facts, note=note.encode())
    notes.add("not-utf8_fail", "A note is UTF-8.", facts, note=b"A text\xff.\n\n" + line.encode())
    surrogate = b"A text\xed\xa0\x80.\n\n" + line.encode()
    notes.add("utf8-surrogate_fail", "A surrogate is no character.", facts, note=surrogate)
    many = f"{TEXT}\n" + "".join(f"\u2014 s{number} {base64(b'12345')}\n" for number in range(10_000))
    notes.add("signatures-10000_fail", "A flood of signatures.", facts, note=many.encode())


def untrue_notes(notes: Family) -> None:
    line, facts = LOG.sign(TEXT), note_facts(LOG, error=WRONG)
    wrong = LOG.line(bytes(64))
    for case, why, lines in [
        ("signed-by-a-stranger", "Nobody we know signed.", OTHER.sign(TEXT)),
        (
            "signed-by-a-namesake",
            "The same name with another key is a stranger.",
            Signer(LOG.name, seed="twin").sign(TEXT),
        ),
        ("wrong-signature", "A known key's signature over another text.", LOG.sign("Another text.\n")),
        ("right-signature-then-wrong", "A wrong one by a known key sinks the note.", line + wrong),
        ("wrong-signature-then-right", "A wrong one by a known key sinks the note, wherever it stands.", wrong + line),
        ("signature-too-short", "63 bytes are no Ed25519 signature.", LOG.line(bytes(63))),
        (
            "signature-too-long",
            "A right signature with a byte behind it.",
            LOG.line(LOG.private.sign(TEXT.encode()) + b"\0"),
        ),
    ]:
        notes.add(f"{case}_fail", why, facts, note=f"{TEXT}\n{lines}".encode())
    both = note_facts(LOG, OTHER, error=WRONG)
    lines = line + OTHER.line(bytes(64))
    notes.add(
        "wrong-signature-of-another-known-key_fail",
        "One right and one wrong known key: the note sinks.",
        both,
        note=f"{TEXT}\n{lines}".encode(),
    )
    cut = f"{TEXT}\n{line}\n{OTHER.sign(TEXT)}"
    notes.add(
        "empty-line-among-signatures_fail",
        "The last empty line ends the text, so that OTHER signed less than it.",
        both,
        note=cut.encode(),
    )


def checkpoints(notes: Family) -> None:
    root, empty = base64(ROOT_HASH), base64(sha256().digest())
    for case, why, size, value, more in [
        ("checkpoint", "A log's note.", "1", root, []),
        ("checkpoint-empty-log", "Size 0 is written as one digit.", "0", empty, []),
        ("checkpoint-largest", "The largest size is 2**63 - 1.", str(2**63 - 1), root, []),
        ("checkpoint-extensions", "Extension lines are kept and mean nothing.", "1", root, ["one more", "\u00e9"]),
    ]:
        text = checkpoint_text(size, value, LOG.name, *more)
        facts = note_facts(LOG, read="checkpoint", origin=LOG.name, size=int(size), extensions=more)
        facts["root"] = (sha256().digest() if size == "0" else ROOT_HASH).hex()
        notes.add(case, why, facts, note=f"{text}\n{LOG.sign(text)}".encode())
    for case, why, text in [
        ("size-leading-zero", "No leading zeros.", checkpoint_text("01")),
        ("size-two-zeros", "Zero is one digit.", checkpoint_text("00")),
        ("size-negative", "A size is not negative.", checkpoint_text("-1")),
        ("size-minus-zero", "There is no minus.", checkpoint_text("-0")),
        ("size-plus", "There is no plus.", checkpoint_text("+1")),
        ("size-2-63", "A size is below 2**63.", checkpoint_text(str(2**63))),
        ("size-2-64", "A size is below 2**63, so that none wraps around.", checkpoint_text(str(2**64 + 1))),
        ("size-10000-digits", "A size is below 2**63.", checkpoint_text("1" * 10_000)),
        ("size-empty", "No line is empty.", checkpoint_text("")),
        ("size-space", "Nothing beside the digits.", checkpoint_text(" 1")),
        ("size-underscore", "Digits only.", checkpoint_text("1_0")),
        ("size-fraction", "A whole number.", checkpoint_text("1.0")),
        ("size-hexadecimal", "Decimal digits.", checkpoint_text("0x1")),
        ("size-arabic-digits", "ASCII digits.", checkpoint_text("\u0661")),
        ("root-short", "A root has 32 bytes.", checkpoint_text(root=base64(bytes(31)))),
        ("root-long", "A root has 32 bytes.", checkpoint_text(root=base64(bytes(33)))),
        ("root-hexadecimal", "A root is base64.", checkpoint_text(root="0" * 64)),
        ("root-not-base64", "A root is base64.", checkpoint_text(root="(" + root[1:])),
        ("root-spare-bits", "A root is canonical base64.", checkpoint_text(root=base64(bytes(32))[:-2] + "B=")),
        ("two-lines", "Origin, size and root are needed.", f"{LOG.name}\n1\n"),
        ("origin-empty", "An origin is not empty.", checkpoint_text(origin="")),
        ("extension-empty", "No line is empty.", checkpoint_text("1", root, LOG.name, "", "x")),
        ("extension-empty-last", "No line is empty.", checkpoint_text("1", root, LOG.name, "")),
    ]:
        facts = note_facts(LOG, read="checkpoint", error=MALFORMED)
        notes.add(f"checkpoint-{case}_fail", why, facts, note=f"{text}\n{LOG.sign(text)}".encode())


def cosigned(notes: Family) -> None:
    text = checkpoint_text()
    first, second, _ = WITNESSES
    log = LOG.sign(text)
    for case, why, lines, times in [
        (
            "cosigned",
            "Two witnesses, and the log.",
            log + first.cosign(text) + second.cosign(text, 7),
            [1_790_000_000, 7],
        ),
        ("cosigned-twice", "One witness at two times.", log + first.cosign(text, 1) + first.cosign(text, 2), [1, 2]),
        ("cosigned-at-0", "The first second.", log + first.cosign(text, 0), [0]),
        ("cosigned-at-the-end-of-time", "The last second.", log + first.cosign(text, 2**63 - 1), [2**63 - 1]),
        ("cosigned-by-nobody", "A stranger's cosignature counts as none.", log + WITNESSES[2].cosign(text), []),
    ]:
        facts = note_facts(LOG, first, second, read="cosignatures", timestamps=times)
        notes.add(case, why, facts, note=f"{text}\n{lines}".encode())
    plain = first.private.sign(text.encode())
    other = first.private.sign(f"cosignature/v1\ntime 2\n{text}".encode())
    late = first.private.sign(f"cosignature/v1\ntime {2**63}\n{text}".encode())
    for case, why, line in [
        (
            "without-header",
            "A witness key's signature over the bare text is no cosignature.",
            first.line(bytes(8) + plain),
        ),
        ("without-timestamp", "A cosignature begins with its time.", first.line(plain)),
        ("with-another-timestamp", "The time is signed.", first.line((1).to_bytes(8, "big") + other)),
        ("after-the-end-of-time", "A time is below 2**63.", first.line((2**63).to_bytes(8, "big") + late)),
        ("of-another-checkpoint", "The text is signed.", first.cosign(checkpoint_text("2"))),
        ("too-long", "Nothing follows the signature.", first.line((2).to_bytes(8, "big") + other + b"\0")),
    ]:
        facts = note_facts(LOG, first, second, read="cosignatures", error=WRONG)
        notes.add(f"cosigned-{case}_fail", why, facts, note=f"{text}\n{log}{second.cosign(text)}{line}".encode())


def verifier_keys(notes: Family) -> None:
    name, key_id, key = LOG.vkey.split("+", 2)
    for case, signer in [("vkey-log", LOG), ("vkey-witness", WITNESSES[0])]:
        facts = {
            "read": "vkey",
            "vkey": signer.vkey,
            "name": signer.name,
            "type": signer.type,
            "key_id": signer.key_id.hex(),
        }
        notes.add(case, "A verifier key, written and read.", facts)
    ecdsa, short = Signer(LOG.name, 2), b"\1" + bytes(31)
    short_id = sha256(name.encode() + b"\n" + short).digest()[:4].hex()
    for case, why, vkey in [
        ("other-id", "The key id is not that of name and key.", f"{name}+00000000+{key}"),
        ("other-name", "The key id holds for one name.", f"{OTHER.name}+{key_id}+{key}"),
        ("upper-case-id", "The key id is lower-case.", f"{name}+{key_id.upper()}+{key}"),
        ("short-id", "The key id has eight digits.", f"{name}+{key_id[:7]}+{key}"),
        ("unknown-type", "0x02 is not used here.", ecdsa.vkey),
        ("short-key", "An Ed25519 key has 32 bytes.", f"{name}+{short_id}+{base64(short)}"),
        ("no-key", "The type alone is no key.", f"{name}+{key_id}+"),
        ("two-parts", "Three parts.", f"{name}+{key_id}"),
        ("no-name", "A name is not empty.", f"+{key_id}+{key}"),
        ("name-with-space", "A name has no spaces.", f"acme example+{key_id}+{key}"),
        ("name-with-control-character", "A name has no control characters.", f"acme\0example+{key_id}+{key}"),
        ("name-with-surrogate", "A name is Unicode text.", f"acme\ud800example+{key_id}+{key}"),
        ("not-base64", "The key is base64.", f"{name}+{key_id}+{key[:-1]}!"),
        ("newline", "Nothing follows the key.", f"{LOG.vkey}\n"),
    ]:
        notes.add(f"vkey-{case}_fail", why, {"read": "vkey", "vkey": vkey, "error": MALFORMED})


def public_keys(notes: Family) -> None:
    def vkey(public: bytes) -> tuple[str, str]:
        key_id = sha256(LOG.name.encode() + b"\n\1" + public).digest()[:4].hex()
        return key_id, f"{LOG.name}+{key_id}+{base64(bytes([1]) + public)}"

    key_id, text = vkey(canonical(smallest_y()))
    facts = {"read": "vkey", "vkey": text, "name": LOG.name, "type": 1, "key_id": key_id}
    notes.add("vkey-smallest-y", "A y of 3 is as good as any.", facts)
    refused = dict.fromkeys(map(canonical, small_order()), "A point of small order: anybody can sign.")
    for point in small_order():
        for public in encodings(point):
            refused.setdefault(public, "A point of small order in another encoding: anybody can sign.")
    small = len(refused)
    refused |= dict.fromkeys(not_reduced(), "A y of 2**255 - 19 or more is the second spelling of another key.")
    for number, (public, why) in enumerate(refused.items(), 1):
        case = f"vkey-small-order-{number:02}" if number <= small else f"vkey-not-reduced-{number - small:02}"
        notes.add(f"{case}_fail", why, {"read": "vkey", "vkey": vkey(public)[1], "error": MALFORMED})


def note_family() -> Family:
    """Make the family ``notes``."""
    notes = Family("notes")
    for part in (
        published,
        accepted_notes,
        refused_notes,
        untrue_notes,
        checkpoints,
        cosigned,
        verifier_keys,
        public_keys,
    ):
        part(notes)
    return notes


if __name__ == "__main__":  # pragma: no cover - the test calls note_family
    write([note_family()])
