"""The documents say what the code does.

Tables of docs/protocol.md are the code's data, its examples are read by the code's parsers, its worked numbers are
computed here, and every section that a docstring names is there.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hashpact_keys.rows import ROWS
from hashpact_node import store
from hashpact_node.store.tables import Table
from hashpact_protocol.authenticate import extend_by_entries
from hashpact_protocol.card import parse_card
from hashpact_protocol.claims import QUALITY_MIN
from hashpact_protocol.digest import BlocklistDigest
from hashpact_protocol.directory import parse_directory
from hashpact_protocol.errors import HashpactError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merge import ID_REUSED, Kind, merge_statements
from hashpact_protocol.merkle import EMPTY_ROOT, CompactRange, leaf_hash
from hashpact_protocol.notes import VerifierKey, cosignatures, parse_checkpoint, parse_note, verify_note
from hashpact_protocol.parsing import parse_entries
from hashpact_protocol.policy import DECISIONS
from hashpact_protocol.proofs import parse_proof, verify_proof
from hashpact_protocol.requests import check_request
from hashpact_protocol.signals import QUALITY_MAX, SIGNAL_TYPES, Comparison, SignalType, make_signal
from hashpact_protocol.statements import _FORMS, HANDLINGS, STATUSES, VERDICTS, Listing, Unknown, parse_statement
from hashpact_protocol.tlog_policy import TlogPolicy
from vectors_lookup import ROOT as VECTORS

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
PROTOCOL = DOCS / "protocol.md"
ARCHITECTURE = DOCS / "architecture.md"
SOURCES = [path for part in ("protocol", "keys", "node") for path in sorted((REPOSITORY / part).rglob("*.py"))]
REFERENCE = re.compile(r"docs/(protocol|architecture)\.md(?:,\s+([A-Z][A-Za-z ]*(?:: [a-z ]+)?))?")
EXAMPLE = re.compile(
    r"^<!-- (?P<what>[a-z]+): ?(?P<how>.*?) -->\n```[a-z]+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
WORD = re.compile(r"`([^`]+)`")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def headings(text: str) -> list[str]:
    return re.findall(r"^##+ (.+)$", text, re.MULTILINE)


def section(name: str) -> str:
    """Give what stands below a heading of the second or third level, up to the next of the same or a higher one."""
    found = re.search(rf"^(##+) {re.escape(name)}\n", text_of(PROTOCOL), re.MULTILINE)
    assert found is not None, f"there is no section {name}"
    rest = text_of(PROTOCOL)[found.end() :]
    after = re.search(rf"^#{{2,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: after.start()] if after else rest


def table(text: str, header: str) -> list[list[str]]:
    """Give the cells of the rows below the table header that begins with ``| {header} |``."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith(f"| {header} |"):
            next(lines)
            break
    else:
        pytest.fail(f"no table begins with {header}")
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def examples(what: str) -> list[tuple[str, str]]:
    found = [(match["how"], match["text"]) for match in EXAMPLE.finditer(text_of(PROTOCOL)) if match["what"] == what]
    assert found, f"there is no example of {what}"
    return found


def worked(part: str) -> list[str]:
    return next(text for how, text in examples("worked") if how == part).splitlines()


def codes(kind: type[HashpactError], parent: str = "") -> Iterator[tuple[str, str]]:
    yield kind.code, parent
    for child in kind.__subclasses__():
        if child.__module__ == HashpactError.__module__:
            yield from codes(child, kind.code)


def references() -> list[tuple[str, str, str]]:
    """Give file, document and section of every mention in the sources; no section is an empty one."""
    return [
        (str(path.relative_to(REPOSITORY)), match[1], (match[2] or "").strip())
        for path in SOURCES
        for match in REFERENCE.finditer(text_of(path))
    ]


def test_every_section_that_is_referred_to_exists() -> None:
    there = {name: {*headings(text_of(DOCS / f"{name}.md")), ""} for name in ("protocol", "architecture")}
    assert len(references()) > 20
    assert not [found for found in references() if found[2] not in there[found[1]]]


def test_every_link_within_the_document_leads_to_a_heading() -> None:
    text = text_of(PROTOCOL)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings(text)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors


def test_every_section_names_vectors_that_exist() -> None:
    folders = {path.name for path in VECTORS.iterdir() if path.is_dir() and not path.name.startswith("__")}
    text = text_of(PROTOCOL)
    assert set(re.findall(r"`tests/vectors/([a-z]+)/`", text)) == folders
    assert {row[0].strip("`") for row in table(section("Conformance"), "area")} == folders
    silent = [
        name
        for name in re.findall(r"^## (.+)$", text, re.MULTILINE)
        if "Vectors:" not in section(name) and name not in {"Terms", "Later versions", "Conformance"}
    ]
    assert not silent


def test_the_document_stands_alone() -> None:
    assert not re.search(r"DESIGN|WIRE\.md|hashpact_(protocol|keys|node)", text_of(PROTOCOL))


def test_limits() -> None:
    rows = {WORD.findall(row[0])[0]: int(row[1]) for row in table(section("Limits"), "name")}
    assert rows == {name: getattr(LIMITS, name) for name in type(LIMITS).__slots__}


def test_errors() -> None:
    rows = [(WORD.findall(row[0])[0], "".join(WORD.findall(row[1]))) for row in table(section("Errors"), "code")]
    assert sorted(rows) == sorted(codes(HashpactError))
    assert f"`{ID_REUSED}`" in section("Errors")


def test_kinds_of_statements() -> None:
    rows = {
        WORD.findall(kind)[0]: tuple(frozenset(WORD.findall(cell)) for cell in (required, optional, logs))
        for kind, required, optional, logs in table(section("Statements"), "kind")
    }
    assert rows == {
        form.kind: (form.required, frozenset(form.checks.keys() - form.required), form.logs) for form in _FORMS.values()
    }
    assert {kind.name.lower() for kind in Kind} == rows.keys()


def test_closed_sets() -> None:
    tables = section("Statements").split("**Closed sets.**")[1]
    rows = {WORD.findall(field)[0]: tuple(WORD.findall(words)) for field, words in table(tables, "field")}
    assert rows == {"handling": HANDLINGS, "verdict": VERDICTS, "status": STATUSES}


def signal_row(known: SignalType) -> list[str]:
    prefix = f"`{known.prefix}` and " if known.prefix else ""
    quality = "" if known.quality_min is None else f"0 to {QUALITY_MAX}, matched from {known.quality_min}"
    matches = {
        Comparison.EXACT: "equal",
        Comparison.PDQ: f"Hamming distance of at most {known.threshold}",
        Comparison.TLSH: f"TLSH distance of at most {known.threshold}",
        Comparison.FRAMES: f"frames, at a Hamming distance of at most {known.threshold}",
        Comparison.NONE: "where a matcher is installed",
    }
    return [
        f"`{known.name}`",
        "blob" if known.blob else "value",
        f"{prefix}{known.digits} {'upper' if known.upper else 'lower'}-case hex digits",
        quality,
        matches[known.comparison],
    ]


def test_signal_types() -> None:
    *known, other = table(section("Signals"), "type")
    assert known == [signal_row(SIGNAL_TYPES[name]) for name in SIGNAL_TYPES]
    assert other[0] == "any other"
    assert f"below {QUALITY_MIN} is a claim" in section("Signals")


def test_rows_of_keys() -> None:
    assert [row[0] for row in table(section("Trust: rows of keys"), "row")] == [row.value for row in ROWS]


def test_actions() -> None:
    rows = {(WORD.findall(rule)[0], WORD.findall(action)[0]) for rule, _, action in table(section("Actions"), "rule")}
    assert rows == {(decision.rule, decision.action.word) for decision in DECISIONS}


def test_the_card_is_accepted() -> None:
    ((how, text),) = examples("card")
    member, url = how.split()
    card = parse_card(text.encode(), member=member, url=url)
    assert json.loads(text) == json.loads((VECTORS / "cards" / "whole" / "card.json").read_bytes())
    assert [log.origin for log in card.counting("listings")] == ["acme.example/logs/listings-2"]


def test_the_directory_is_accepted() -> None:
    ((_, text),) = examples("directory")
    directory = parse_directory(text.strip().encode())
    assert [(one.member, one.standing.value) for one in directory.members] == [
        ("acme", "admitted"),
        ("beta", "suspended"),
    ]


def test_the_entries_are_statements() -> None:
    found = [
        (how, parse_statement(line.encode(), how)) for how, text in examples("entry") for line in text.splitlines()
    ]
    assert not [statement for _, statement in found if isinstance(statement, Unknown)]
    assert {statement.kind for _, statement in found} == {form.kind for form in _FORMS.values()}
    assert not [statement for _, statement in found if isinstance(statement, Listing) and statement.dropped]
    # The example of a listing shows every field but these two, which are of rare use.
    shown = json.loads(examples("entry")[0][1]).keys()
    assert _FORMS["listing"].checks.keys() - shown == {"preserve", "review_by"}


def keys_of_the_note() -> list[VerifierKey]:
    return [VerifierKey.parse(key) for key in examples("note")[0][0].split()]


def test_the_checkpoint_is_signed() -> None:
    note = parse_note(examples("note")[0][1].encode())
    log, witness = keys_of_the_note()
    assert set(verify_note(note, (log, witness))) == {log, witness}
    assert [cosigned.key for cosigned in cosignatures(note, (witness,))] == [witness]
    checkpoint = parse_checkpoint(note.text)
    assert (checkpoint.origin, checkpoint.size) == (log.name, len(worked("entries")))


def test_the_worked_example() -> None:
    entries = [line.encode() for line in worked("entries")]
    leaves = [leaf_hash(entry) for entry in entries]
    assert [leaf.hex() for leaf in leaves] == worked("leaves")
    whole, rest = extend_by_entries(CompactRange(), (), (entries,))
    root = whole.extend(rest).root()
    checkpoint = parse_checkpoint(parse_note(examples("note")[0][1].encode()).text)
    assert checkpoint.root == root
    lines = "".join(f"{line}\n" for line in worked("lines"))
    assert lines.startswith(f"{checkpoint.origin} {len(entries)} {b64encode(root).decode()}\n")
    assert [hashlib.sha256(lines.encode()).hexdigest()] == worked("digest")


def test_the_worked_digest_is_what_the_merge_gives() -> None:
    statements = parse_entries([line.encode() for line in worked("entries")], "listings")
    merged = merge_statements(statements, log=1, start=0, known={})
    live = {owner.position for owner in merged.owners.values() if owner.kind == Kind.LISTING and owner.live}
    first, *_, last = worked("lines")
    origin, size, root = first.split()
    digest = BlocklistDigest()
    digest.add_log(origin, int(size), parse_checkpoint(f"{origin}\n{size}\n{root}\n".encode()).root)
    for position in sorted(live):
        statement = statements[position]
        assert isinstance(statement, Listing)
        digest.add_listing(position, statement.id, [(signal.type, signal.value) for signal in statement.signals])
    digest.add_log(last.split()[0], 0, EMPTY_ROOT)
    assert [digest.hexdigest()] == worked("digest")


def test_the_proof_holds() -> None:
    ((how, text),) = examples("proof")
    proof = parse_proof(text.encode())
    log, witness = keys_of_the_note()
    assert proof.index == int(how)
    leaf = leaf_hash(worked("entries")[proof.index].encode())
    assert verify_proof(proof, leaf, TlogPolicy.of_keys([log], [witness], 1)).size == len(worked("entries"))


def test_the_signed_request_is_a_vector() -> None:
    """Fields, body, base, URL, key and seed of the example are those of the vector, and lead to each other."""
    case = json.loads((VECTORS / "requests" / "post" / "case.json").read_bytes())
    body = (VECTORS / "requests" / "post" / "body").read_bytes()
    shown = dict(examples("request"))
    headers = [(line.partition(": ")[0].lower(), line.partition(": ")[2]) for line in shown["fields"].splitlines()]
    assert [list(pair) for pair in headers] == case["headers"]
    assert shown["body"].encode() == body
    assert shown["base"] == f"{case['base']}\n"
    for told in (case["url"], case["keys"]["beta/beta-request-1"], case["seeds"]["beta/beta-request-1"]):
        assert f"`{told}`" in section("Requests")
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(case["seeds"]["beta/beta-request-1"]))
    public = key.public_key().public_bytes_raw()
    assert public.hex() == case["keys"]["beta/beta-request-1"]
    signature = f"sig1=:{b64encode(key.sign(shown['base'].removesuffix(chr(10)).encode())).decode()}:"
    assert dict(headers)["signature"] == signature
    found = check_request("POST", case["url"], headers, body, keys=lambda *_: public, now=case["now"])
    assert (found.member, found.key_id) == ("beta", "beta-request-1")


def test_a_blob_and_a_value_of_one_text_are_one_claim() -> None:
    text = "0" * 64
    blob = make_signal("moon_hash", sha256=text, length=1)
    assert make_signal("moon_hash", text).key == blob.key


def test_the_architecture_names_every_table() -> None:
    rows = {WORD.findall(row[0])[0] for row in table(text_of(ARCHITECTURE), "table")}
    for module in iter_modules(store.__path__, f"{store.__name__}."):
        if module.name.rpartition(".")[2].startswith("tables_"):
            import_module(module.name)
    assert rows == set(Table.metadata.tables)


def test_the_architecture_names_every_folder_of_the_node() -> None:
    node = REPOSITORY / "node" / "hashpact_node"
    folders = {path.name for path in node.iterdir() if (path / "__init__.py").exists()}
    text = text_of(ARCHITECTURE)
    assert not [folder for folder in folders if f"`{folder}/`" not in text]


def test_files_that_the_architecture_names_exist() -> None:
    named = set(re.findall(r"`((?:protocol|keys|node)/[a-z_/]+\.py)`", text_of(ARCHITECTURE)))
    assert named
    assert not [name for name in named if not (REPOSITORY / name).is_file()]


@pytest.mark.parametrize("path", sorted((DOCS / "adr").glob("*.md")), ids=lambda path: path.stem)
def test_decisions_have_one_form(path: Path) -> None:
    text = text_of(path)
    assert re.match(r"# \d{4}: .+\n", text)
    assert text.startswith(f"# {path.stem[:4]}: ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Decision", "Why", "What lost", "What follows"]


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(path.stem[:4]) for path in sorted((DOCS / "adr").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
