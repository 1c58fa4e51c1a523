"""Make the vectors of proofs and policies anew: ``python tests/vectors/generate_proofs.py``."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # pragma: no cover - as a script, it stands beside its package
    sys.path.insert(0, str(Path(__file__).parent.parent))

from vectors.cases import Family, write
from vectors.generate_trees import leaf, numbered, path, tree
from vectors.signers import LOG, OTHER, WITNESSES, Signer, base64, checkpoint_text

ENTRIES = numbered(7)
INDEX = 3
LEAF = leaf(ENTRIES[INDEX]).hex()
HASHES = [base64(value) for value in path(INDEX, ENTRIES)]
CHECKPOINT = checkpoint_text("7", base64(tree(ENTRIES)))
HEAD = "c2sp.org/tlog-proof@v1"
STRANGE = Signer("strange.example", 0x7F, "strange")
LOG_LINE = f"log {LOG.vkey}\n"
THREE = "".join(f"witness W{number} {key.vkey}\n" for number, key in enumerate(WITNESSES))
TWO_OF_THREE = f"{LOG_LINE}{THREE}group most 2 W0 W1 W2\nquorum most\n"
ALONE = f"{LOG_LINE}quorum none\n"
MALFORMED = "proof-malformed"


def signed(text: str = CHECKPOINT, *witnesses: Signer, log: Signer = LOG) -> str:
    return f"{text}\n{log.sign(text)}{''.join(key.cosign(text) for key in witnesses)}"


def proof(*lines: str, note: str | None = None) -> bytes:
    """A proof of these lines, by default the right ones, below the header."""
    lines = lines or (f"index {INDEX}", *HASHES)
    return "".join(f"{line}\n" for line in (HEAD, *lines, "", *(note or signed()).split("\n")))[:-1].encode()


def accepted(proofs: Family) -> None:
    facts = {"read": "proof", "leaf": LEAF, "index": INDEX, "size": 7, "origin": LOG.name, "extra": None}
    data = proof()
    proofs.add("log-alone", "A log's signature, and no quorum.", facts, proof=data, policy=ALONE.encode())
    two = proof(note=signed(CHECKPOINT, WITNESSES[0], WITNESSES[2]))
    proofs.add("two-of-three", "Two of three witnesses cosigned.", facts, proof=two, policy=TWO_OF_THREE.encode())
    both = f"log {OTHER.vkey}\n{ALONE}"
    proofs.add("two-logs", "Either log is accepted.", facts, proof=data, policy=both.encode())
    nested = (
        f"# Two organisations\n \t\n{LOG_LINE}\twitness\tW0  {WITNESSES[0].vkey} https://w0.example \n"
        f"witness W1 {WITNESSES[1].vkey}\ngroup X any W0\ngroup Y all W1\ngroup both all X Y\n  # and so\nquorum both\n"
    )
    note = signed(CHECKPOINT, WITNESSES[0], WITNESSES[1])
    proofs.add("nested-groups", "Groups of groups.", facts, proof=proof(note=note), policy=nested.encode())
    extra = {**facts, "extra": b"more".hex()}
    lines = (f"extra {base64(b'more')}", f"index {INDEX}", *HASHES)
    proofs.add("extra", "Extra data, which nobody signed.", extra, proof=proof(*lines), policy=ALONE.encode())
    text = checkpoint_text("1", base64(leaf(ENTRIES[0])))
    only = {**facts, "leaf": leaf(ENTRIES[0]).hex(), "index": 0, "size": 1}
    proofs.add("only-entry", "No hashes.", only, proof=proof("index 0", note=signed(text)), policy=ALONE.encode())
    text = checkpoint_text("7", base64(tree(ENTRIES)), LOG.name, "an extension")
    note = signed(text)
    proofs.add("extension-line", "Extension lines mean nothing.", facts, proof=proof(note=note), policy=ALONE.encode())


def malformed(proofs: Family) -> None:
    index, right = f"index {INDEX}", proof()
    for case, why, data in [
        ("empty", "Nothing at all.", b""),
        ("other-version", "Another version is another format.", right.replace(b"@v1", b"@v2", 1)),
        ("no-header", "The header is missing.", right.split(b"\n", 1)[1]),
        ("leading-newline", "The header is the first line.", b"\n" + right),
        ("carriage-return", "Lines end in a newline alone.", right.replace(b"\n", b"\r\n")),
        ("no-empty-line", "An empty line stands before the checkpoint.", right.replace(b"\n\n", b"\n")),
        ("header-alone", "The index is missing.", f"{HEAD}\n\n{signed()}".encode()),
        ("no-index", "The index is missing.", proof(*HASHES)),
        ("index-twice", "One index.", proof(index, index, *HASHES)),
        ("index-last", "The index stands before the hashes.", proof(*HASHES, index)),
        ("index-empty", "An index is a number.", proof("index ", *HASHES)),
        ("index-leading-zero", "No leading zeros.", proof("index 03", *HASHES)),
        ("index-negative", "No negative index.", proof("index -3", *HASHES)),
        ("index-plus", "No sign.", proof("index +3", *HASHES)),
        ("index-2-63", "An index is below 2**63.", proof(f"index {2**63}", *HASHES)),
        ("index-10000-digits", "An index is below 2**63.", proof(f"index {'9' * 10_000}", *HASHES)),
        ("index-two-spaces", "One space.", proof("index  3", *HASHES)),
        ("index-trailing-space", "Nothing behind the number.", proof("index 3 ", *HASHES)),
        ("index-upper-case", "Lower case.", proof("Index 3", *HASHES)),
        ("index-arabic-digits", "ASCII digits.", proof("index \u0663", *HASHES)),
        ("extra-empty", "No data, no line.", proof("extra ", index, *HASHES)),
        ("extra-after-index", "Extra data stands before the index.", proof(index, "extra AAAA", *HASHES)),
        ("extra-twice", "One extra line.", proof("extra AAAA", "extra AAAA", index, *HASHES)),
        ("extra-not-base64", "Extra data is base64.", proof("extra A", index, *HASHES)),
        ("extra-spare-bits", "Base64 is canonical.", proof("extra AB==", index, *HASHES)),
        ("hash-short", "A hash has 32 bytes.", proof(index, base64(bytes(31)), *HASHES[1:])),
        ("hash-long", "A hash has 32 bytes.", proof(index, base64(bytes(64)), *HASHES[2:])),
        ("hash-hexadecimal", "A hash is base64.", proof(index, "00" * 32, *HASHES[1:])),
        ("hash-spare-bits", "Base64 is canonical.", proof(index, base64(bytes(32))[:-2] + "B=", *HASHES[1:])),
        ("hash-without-padding", "Base64 is padded.", proof(index, HASHES[0][:-1], *HASHES[1:])),
        ("hash-trailing-space", "Nothing behind a hash.", proof(index, f"{HASHES[0]} ", *HASHES[1:])),
        ("hashes-64", "No tree is that high.", proof(index, *HASHES[:1] * 64)),
    ]:
        facts = {"read": "proof", "leaf": LEAF, "error": MALFORMED}
        proofs.add(f"{case}_fail", why, facts, proof=data, policy=ALONE.encode())


def untrue(proofs: Family) -> None:
    index = f"index {INDEX}"
    three = [key.cosign(CHECKPOINT) for key in WITNESSES]
    wrong_witness = f"{signed()}{three[0]}{three[1]}{WITNESSES[2].cosign(checkpoint_text('8'))}"
    twice = f"{signed()}{three[0]}{WITNESSES[0].cosign(CHECKPOINT, 1)}"
    stranger = signed(CHECKPOINT, WITNESSES[0], Signer("stranger.example/witness-1", 4, "stranger"))
    elsewhere = checkpoint_text("7", base64(tree(ENTRIES)), OTHER.name)
    for case, why, data, policy, error in [
        (
            "one-of-three",
            "One witness where two are due.",
            proof(note=signed(CHECKPOINT, WITNESSES[0])),
            TWO_OF_THREE,
            1,
        ),
        ("nobody-cosigned", "No witness.", proof(), TWO_OF_THREE, 1),
        ("one-witness-twice", "Two times of one witness are one.", proof(note=twice), TWO_OF_THREE, 1),
        ("stranger-cosigned", "A stranger is no witness.", proof(note=stranger), TWO_OF_THREE, 1),
        (
            "wrong-cosignature",
            "A known witness's wrong one sinks the note.",
            proof(note=wrong_witness),
            TWO_OF_THREE,
            1,
        ),
        ("log-not-in-policy", "Another log signed.", proof(), f"log {OTHER.vkey}\nquorum none\n", 1),
        ("no-logs-in-policy", "No log is accepted.", proof(), "quorum none\n", 1),
        (
            "log-signature-missing",
            "Witnesses alone are not enough.",
            proof(note=f"{CHECKPOINT}\n{three[0]}{three[1]}"),
            TWO_OF_THREE,
            1,
        ),
        ("other-origin", "A log signs for its own origin.", proof(note=signed(elsewhere)), ALONE, 1),
        (
            "other-log-signs-our-origin",
            "Another accepted log signed for this origin.",
            proof(note=signed(CHECKPOINT, log=OTHER)),
            f"log {OTHER.vkey}\n{ALONE}",
            1,
        ),
        ("other-index", "Another place.", proof("index 2", *HASHES), ALONE, 2),
        ("index-is-size", "Behind the tree.", proof("index 7", *HASHES), ALONE, 2),
        ("hash-missing", "A hash too few.", proof(index, *HASHES[:-1]), ALONE, 2),
        ("hash-added", "A hash too many.", proof(index, *HASHES, HASHES[0]), ALONE, 2),
        ("hash-altered", "Another hash.", proof(index, HASHES[1], *HASHES[1:]), ALONE, 2),
        ("no-note", "No checkpoint.", f"{HEAD}\n{index}\n\n".encode(), ALONE, 3),
        ("note-without-signatures", "A checkpoint alone.", f"{HEAD}\n{index}\n\n{CHECKPOINT}".encode(), ALONE, 3),
        ("note-is-no-checkpoint", "Another signed note.", proof(note=signed("A text.\n")), ALONE, 3),
    ]:
        facts = {
            "read": "proof",
            "leaf": LEAF,
            "error": ["", "signature-invalid", "inclusion-invalid", "note-malformed"][error],
        }
        proofs.add(f"{case}_fail", why, facts, proof=data, policy=policy.encode())
    other_leaf = {"read": "proof", "leaf": "00" * 32, "error": "inclusion-invalid"}
    proofs.add("other-leaf_fail", "Another entry.", other_leaf, proof=proof(), policy=ALONE.encode())


def policies(proofs: Family) -> None:
    w0, w1 = f"witness W0 {WITNESSES[0].vkey}\n", f"witness W1 {WITNESSES[1].vkey}\n"
    same_key = Signer("elsewhere.example/witness-1", 4, "w0").vkey
    for case, why, line, text in [
        ("no-quorum", "A quorum line is needed.", None, LOG_LINE),
        ("two-quorums", "One quorum line.", 3, f"{ALONE}quorum none\n"),
        ("no-final-newline", "Every line ends.", 2, ALONE[:-1]),
        ("carriage-return", "Lines end in a newline alone.", 1, ALONE.replace("\n", "\r\n")),
        ("nul", "No control characters.", 1, f"# \0\n{ALONE}"),
        ("delete", "U+007F is a control character.", 1, f"# \x7f\n{ALONE}"),
        ("form-feed", "White space is space and tab.", 1, f"quorum\fnone\n{ALONE}"),
        ("unknown-line", "Every line has a known first word.", 1, f"logs {LOG.vkey}\n{ALONE}"),
        ("upper-case", "First words are lower-case.", 1, f"LOG {LOG.vkey}\n{ALONE}"),
        ("log-without-key", "A log has a key.", 1, f"log\n{ALONE}"),
        ("log-with-more", "A log has a key and a URL, no more.", 1, f"log {LOG.vkey} https://a.example b\n{ALONE}"),
        ("log-key-malformed", "A key that is none.", 1, f"log {LOG.vkey[:-4]}\n{ALONE}"),
        (
            "log-key-of-a-witness",
            "A log does not sign with a witness key.",
            1,
            f"log {WITNESSES[0].vkey}\nquorum none\n",
        ),
        ("log-twice", "One line a public key.", 2, f"{LOG_LINE}{ALONE}"),
        (
            "log-twice-under-two-names",
            "One line a public key, whatever its name.",
            2,
            f"log {Signer('b.example').vkey}\n{ALONE}",
        ),
        ("witness-without-name", "A witness has a name.", 1, f"witness {WITNESSES[0].vkey}\n{ALONE}"),
        ("witness-with-more", "A witness has name, key and URL.", 1, f"{w0[:-1]} https://a.example b\n{ALONE}"),
        ("witness-key-of-a-log", "A witness does not cosign with a log key.", 1, f"witness W0 {LOG.vkey}\n{ALONE}"),
        ("witness-key-twice", "One public key, one witness.", 2, f"{w0}witness W1 {same_key}\n{ALONE}"),
        (
            "unknown-key-type-twice",
            "One public key, one witness, of whatever type.",
            2,
            f"witness S {STRANGE.vkey}\nwitness T {STRANGE.vkey}\n{ALONE}",
        ),
        (
            "unknown-key-type-other-id",
            "A key id is that of name and key, of whatever type.",
            1,
            f"witness S other.example+{STRANGE.vkey.split('+', 1)[1]}\n{ALONE}",
        ),
        ("witness-name-twice", "One name, one witness.", 2, f"{w0}witness W0 {WITNESSES[1].vkey}\n{ALONE}"),
        ("witness-named-none", "The name is taken.", 1, f"witness none {WITNESSES[0].vkey}\n{ALONE}"),
        ("group-named-none", "The name is taken.", 2, f"{w0}group none any W0\n{ALONE}"),
        ("group-named-as-witness", "Groups and witnesses share their names.", 2, f"{w0}group W0 any W0\n{ALONE}"),
        ("group-named-twice", "One name, one group.", 4, f"{w0}{w1}group g any W0\ngroup g any W1\n{ALONE}"),
        ("group-without-members", "A group has members.", 1, f"group g any\n{ALONE}"),
        ("group-of-none", "None is no member.", 1, f"group g any none\n{ALONE}"),
        ("group-of-itself", "A group speaks of earlier lines.", 1, f"group g any g\n{ALONE}"),
        ("group-of-later", "A group speaks of earlier lines.", 1, f"group g any W0\n{w0}{ALONE}"),
        ("group-member-twice", "Each name is a member once.", 2, f"{w0}group g any W0 W0\n{ALONE}"),
        ("group-member-of-two", "Each name is a member once.", 3, f"{w0}group g any W0\ngroup h any W0\n{ALONE}"),
        ("threshold-0", "1 at least.", 2, f"{w0}group g 0 W0\n{ALONE}"),
        ("threshold-too-high", "All at most.", 2, f"{w0}group g 2 W0\n{ALONE}"),
        ("threshold-leading-zero", "No leading zeros.", 2, f"{w0}group g 01 W0\n{ALONE}"),
        ("threshold-negative", "No sign.", 2, f"{w0}group g -1 W0\n{ALONE}"),
        ("threshold-word", "All, any or a number.", 2, f"{w0}group g some W0\n{ALONE}"),
        ("threshold-10000-digits", "A number of members.", 2, f"{w0}group g {'1' * 10_000} W0\n{ALONE}"),
        ("quorum-unknown", "The quorum is defined above.", 1, f"quorum W0\n{w0}"),
        ("quorum-empty", "A quorum has a name.", 1, "quorum\n"),
        ("quorum-of-two", "A quorum has one name.", 3, f"{w0}{w1}quorum W0 W1\n"),
    ]:
        facts = {"read": "policy", "error": "configuration-invalid", "where": f"line {line}" if line else None}
        proofs.add(f"policy-{case}_fail", why, facts, policy=text.encode())
    facts = {"read": "policy", "error": "configuration-invalid", "where": "line 1"}
    octets = b"log \xff+00000000+AAAA\nquorum none\n"
    proofs.add("policy-log-key-not-utf8_fail", "A key name is UTF-8.", facts, policy=octets)
    octets = (
        b"# \xff\n" + f"witness \xe9\xfe {WITNESSES[0].vkey} ".encode("latin-1") + b"\xe2\x84\xaa\nquorum \xe9\xfe\n"
    )
    sound: dict[str, object] = {"read": "policy", "logs": 0, "witnesses": 1, "groups": 0}
    proofs.add("policy-octets", "Names, URLs and comments are octets.", sound, policy=octets)
    strange = f"{LOG_LINE}log {STRANGE.vkey}\n{w0}witness S {STRANGE.vkey}\ngroup g any W0 S\nquorum g\n"
    sound = {"read": "policy", "logs": 1, "witnesses": 1, "groups": 1}
    proofs.add("policy-unknown-key-type", "Keys of an unknown type refuse nothing.", sound, policy=strange.encode())
    most = "".join(f"witness {number} {Signer(f'w{number}.example', 4, f'm{number}').vkey}\n" for number in range(32))
    most += "".join(f"log {Signer(f'l{number}.example', 1, f'n{number}').vkey}\n" for number in range(32))
    most += "group g0 any 0\n" + "".join(f"group g{number} 2 {number} g{number - 1}\n" for number in range(1, 32))
    sound = {"read": "policy", "logs": 32, "witnesses": 32, "groups": 32}
    proofs.add("policy-32-of-each", "As many as the text advises.", sound, policy=f"{most}quorum g31\n".encode())


def proof_family() -> Family:
    """Make the family ``proofs``."""
    proofs = Family("proofs")
    for part in (accepted, malformed, untrue, policies):
        part(proofs)
    return proofs


if __name__ == "__main__":  # pragma: no cover - the tests call proof_family
    write([proof_family()])
