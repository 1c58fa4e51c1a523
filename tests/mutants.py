"""Proves the conformance suite: takes a rule out of our node, runs the cases that hold it, and sees one fail.

``python tests/mutants.py [-k PATTERN] [--jobs 2]`` goes through :data:`MUTANTS`, prints a table, and exits with 1 when
a mutant survives. Each mutant is a copy of the sources with one text replaced; nothing of this tree is changed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from entrypoint_server import entrypoint_server

TREE = Path(__file__).parents[1]
ROOTS = ("protocol", "keys", "node")
TIMEOUT_SECONDS = 900
PROTOCOL, KEYS, NODE = "protocol/hashpact_protocol/", "keys/hashpact_keys/", "node/hashpact_node/"


@dataclass(frozen=True)
class Mutant:
    """One rule taken out: in ``file`` the text ``old``, which stands there once, becomes ``new``.

    ``cases`` is a regular expression of the ids of the reader's cases of which at least one must fail.
    """

    name: str
    file: str
    old: str
    new: str
    cases: str


MUTANTS = (
    # checkpoints
    Mutant(
        "a note may have any number of signatures",
        PROTOCOL + "notes.py",
        "if len(signatures) > LIMITS.note_signatures_max:",
        "if len(signatures) > 10**9:",
        "reader-notes-malformed-signatures-17",
    ),
    Mutant(
        "base64 need not be canonical",
        PROTOCOL + "base64_text.py",
        "    if encode_base64(data) != text:\n",
        "    if not text:\n",
        "reader-notes-malformed-(root|signature)-spare-bits",
    ),
    Mutant(
        "control characters are text",
        PROTOCOL + "notes.py",
        "    if _CONTROL.search(text):\n",
        "    if False:\n",
        "reader-notes-malformed-tab",
    ),
    Mutant(
        "a size may have leading zeros",
        PROTOCOL + "notes.py",
        '_DECIMAL = re.compile("0|[1-9][0-9]{0,18}")',
        '_DECIMAL = re.compile("[0-9]{1,19}")',
        "reader-notes-malformed-size-leading-zero",
    ),
    Mutant(
        "a note need not end in a newline",
        PROTOCOL + "notes.py",
        '    if not lines.endswith("\\n"):\n        raise NoteError("a note does not end in a newline")\n'
        '    signatures = lines[:-1].split("\\n")',
        '    signatures = lines.removesuffix("\\n").split("\\n")',
        "reader-notes-malformed-no-final-newline",
    ),
    Mutant(
        "one right signature is enough beside a wrong one",
        PROTOCOL + "notes.py",
        '        raise SignatureError("the signature is wrong", where=key.name) from None\n',
        "        return\n",
        "reader-notes-(wrong-signature-wrong|unsigned-signed-over)",
    ),
    Mutant(
        "any key of the member may sign any of its logs",
        PROTOCOL + "follow.py",
        "if not set(signers) & set(trust.keys):",
        "if not signers:",
        "reader-notes-(signed-by-another-log|unsigned-signed-by-witness)",
    ),
    Mutant(
        "the origin is not looked at",
        PROTOCOL + "follow.py",
        "if checkpoint.origin != trust.origin:",
        "if not checkpoint.origin:",
        "reader-notes-of-another-log-another-origin",
    ),
    Mutant(
        "a log of more than 2^32 entries is read",
        PROTOCOL + "follow.py",
        "if checkpoint.size > LIMITS.log_max_entries:",
        "if checkpoint.size > 2**63:",
        "reader-log-huge-size-8589934592",
    ),
    Mutant(
        "another root at a known size is no fork",
        PROTOCOL + "follow.py",
        "if own_root is not None and own_root != checkpoint.root:",
        "if False:",
        "reader-log-same-size-other-root-0",
    ),
    Mutant(
        "a cosignature counts outside the life of its key",
        PROTOCOL + "follow.py",
        "        and witness.valid_from.timestamp() <= cosigned.timestamp <= witness.valid_until.timestamp()\n",
        "",
        "reader-notes-cosignatures-that-do-not-count-key-out",
    ),
    Mutant(
        "the publisher's own cosignature counts as another's",
        PROTOCOL + "follow.py",
        "len(cosigners) >= require_witnesses",
        "len(cosigners) + 1 >= require_witnesses",
        "reader-notes-too-few",
    ),
    Mutant(
        "one key speaks for each member that lists it",
        PROTOCOL + "follow.py",
        "    return _distinct(signed, own), notices",
        "    return frozenset(m for m, keys in signed.items() if keys - own), notices",
        "reader-notes-one-key-of-two-members",
    ),
    Mutant(
        "nothing grows stale",
        PROTOCOL + "follow.py",
        "    return not -LIMITS.clock_skew_seconds <= age <= stale_after_seconds",
        "    return False",
        "reader-notes-stale-old",
    ),
    # cards
    Mutant(
        "a card of another member is taken",
        PROTOCOL + "card.py",
        "        if fields.text(name) != pinned:\n",
        "        if not fields.text(name):\n",
        "reader-trust-card-another-members-id",
    ),
    Mutant(
        "an origin may lie anywhere",
        PROTOCOL + "card_logs.py",
        "        member_url.check_origin(origin)\n",
        "        pass\n",
        "reader-trust-card-origin-outside",
    ),
    Mutant(
        "several logs of one name may be open",
        PROTOCOL + "card_logs.py",
        "for log in sequence) > 1:",
        "for log in sequence) > 99:",
        "reader-trust-card-two-open-logs",
    ),
    Mutant(
        "a log may be erased without a successor",
        PROTOCOL + "card_logs.py",
        "    if all(successor.fresh is None for successor in later):\n",
        "    if False:\n",
        "reader-trust-card-erased-without-successor",
    ),
    # trust
    Mutant(
        "one key under two ids is two signers",
        KEYS + "trust_checks.py",
        "    signers = {key_identity(key, where=where) for key in result.signed.values()}",
        "    signers = set(result.signed)",
        "reader-trust-one-key-(under-two-ids-root|in-two-spellings)",
    ),
    Mutant(
        "one key may serve root and targets",
        KEYS + "trust_checks.py",
        "        if seen.setdefault(identity, row) != row:\n",
        "        if False:\n",
        "reader-trust-one-key-in-two-rows-root",
    ),
    Mutant(
        "a second snapshot of one version passes",
        KEYS + "trust_checks.py",
        '    if named["hashes"]["sha256"] != hashlib.sha256(snapshot).hexdigest():\n',
        "    if False:\n",
        "reader-trust-another-snapshot-of-one-version",
    ),
    Mutant(
        "metadata may name a field twice",
        KEYS + "trust_form.py",
        "        if len(table) != len(pairs):\n",
        "        if False:\n",
        "reader-trust-malformed-timestamp-doubled-name",
    ),
    Mutant(
        "`true` is a version",
        KEYS + "trust_form.py",
        "if not isinstance(value, int) or isinstance(value, bool) or value < least:",
        "if not isinstance(value, int) or value < least:",
        "reader-trust-malformed-timestamp-version-true",
    ),
    Mutant(
        "metadata need not say the hash of what it names",
        KEYS + "trust_form.py",
        '    hashes = check.table(entry.get("hashes"), f"hashes of {_show(name)}")\n'
        '    check.pattern(hashes.get("sha256"), _SHA256, f"sha256 of {_show(name)}")\n',
        '    hashes = entry.get("hashes") or {}\n',
        "reader-trust-unnamed-(snapshot|targets)-without-hash",
    ),
    Mutant(
        "a 403 is the end of the roots",
        NODE + "net/trust_fetcher.py",
        "            if error.status == _NOT_FOUND:\n",
        "            if error.status in (403, _NOT_FOUND):\n",
        "reader-trust-next-root-403",
    ),
    Mutant(
        "a redirect is an answer like any other",
        NODE + "net/fetcher.py",
        'if response.status_code in _REDIRECTS and "location" in response.headers:',
        "if False:",
        "reader-fetch-redirect-another-host",
    ),
    # transfer
    Mutant(
        "a body has no end",
        NODE + "net/fetcher.py",
        "            if total > cap:\n                break\n",
        "            if total > 2**30:\n                break\n",
        "reader-fetch-endless-(checkpoint|card)-without",
    ),
    Mutant(
        "a request has no deadline while it is read",
        NODE + "net/transport.py",
        "        if left <= 0.0:\n",
        "        left = max(left, 60.0)\n        if left <= 0.0:\n",
        "reader-fetch-slow-bundle-drip",
    ),
    Mutant(
        "something may follow a gzip body",
        NODE + "net/decode.py",
        '    if stream.unused_data:\n        raise FetchError("something follows the gzip body"',
        '    if False:\n        raise FetchError("something follows the gzip body"',
        "reader-fetch-encoding-gzip-(trailing|two-members)",
    ),
    Mutant(
        "a gzip body may be cut",
        NODE + "net/decode.py",
        '    if not stream.eof:\n        raise FetchError("the gzip body is cut short"',
        '    if False:\n        raise FetchError("the gzip body is cut short"',
        "reader-fetch-encoding-gzip-cut",
    ),
    # logs
    Mutant(
        "entries are believed",
        NODE + "services/catch_up.py",
        "        elif self.absorber.grown(batch).root() == self.head.root:\n",
        "        elif self.absorber.grown(batch):\n",
        "reader-log-partial-bundle-another-entry",
    ),
    Mutant(
        "bundles of a long log are not compared with its tiles",
        NODE + "services/catch_up.py",
        "                    return self._root_in(tree, number)\n",
        "                    return None\n",
        "reader-log-right-tiles-wrong-entries",
    ),
    Mutant(
        "a full bundle does not stand in for a partial one",
        NODE + "net/peer_logs.py",
        "        if gone and tile.width < FULL_WIDTH:\n",
        "        if False:\n",
        "reader-log-partial-is-gone",
    ),
    Mutant(
        "a 404 gives no hint to look at the card",
        NODE + "services/pulling.py",
        "    return isinstance(error, SignatureError)\n",
        "    return False\n",
        "reader-notes-rotated-key-is-learned",
    ),
    Mutant(
        "a hint makes the reader look each time",
        NODE + "services/trusting.py",
        "TRUST_HINT_INTERVAL = timedelta(minutes=1)",
        "TRUST_HINT_INTERVAL = timedelta(0)",
        "reader-notes-unknown-signature-asks",
    ),
    # statements
    Mutant(
        "an entry need not be canonical",
        PROTOCOL + "canonical.py",
        "    if expected != data:\n",
        "    if False:\n",
        "reader-statements-malformed-(unsorted|inner-space)",
    ),
    Mutant(
        "numbers may go beyond 2^53",
        PROTOCOL + "canonical.py",
        "    if abs(value) > LIMITS.integer_max:\n",
        "    if False:\n",
        "reader-statements-malformed-beyond",
    ),
    Mutant(
        "entries may be nested without end",
        PROTOCOL + "canonical.py",
        "    if depth > LIMITS.depth_max:\n",
        "    if False:\n",
        "reader-statements-malformed-depth-9",
    ),
    Mutant(
        "an id may change its kind",
        PROTOCOL + "merge.py",
        "        if owner is not None and owner.kind != kind:\n",
        "        if False:\n",
        "reader-statements-story-at-once-(listing-under|withdrawal-under)",
    ),
    Mutant(
        "nothing is critical",
        PROTOCOL + "merge.py",
        "            return not statement.critical\n",
        "            return True\n",
        "reader-statements-critical",
    ),
    Mutant(
        "a withdrawal withdraws nothing",
        PROTOCOL + "merge.py",
        "            self.merged.owners[identifier] = owner._replace(live=False)\n",
        "",
        "reader-statements-story-at-once-withdrawn$",
    ),
    Mutant(
        "a quality may be above 100",
        PROTOCOL + "signals.py",
        "    if type(quality) is not int or not 0 <= quality <= QUALITY_MAX:\n",
        "    if type(quality) is not int:\n",
        "reader-statements-malformed-signal-pdq-quality-101",
    ),
    Mutant(
        "hex digits may be of any case",
        PROTOCOL + "signals.py",
        "    return raw if again == text and len(text) == digits else None",
        "    return raw if len(text) == digits else None",
        "reader-statements-malformed-signal-(sha256-upper|tlsh-lower)",
    ),
)


@dataclass(frozen=True)
class Fate:
    """What became of a mutant: how many of its cases failed, of how many; ``trouble`` if they could not be run."""

    mutant: Mutant
    failed: int
    ran: int
    seconds: float
    trouble: str = ""

    @property
    def caught(self) -> bool:
        """Whether a case saw that the rule was gone."""
        return self.failed > 0 and not self.trouble

    @property
    def word(self) -> str:
        """The outcome in a word."""
        return "caught" if self.caught else "BROKEN" if self.trouble else "SURVIVED"


def mutated(mutant: Mutant, tree: Path = TREE) -> str:
    """Give the file of a mutant with its rule taken out; ValueError unless the text stands there exactly once."""
    text = (tree / mutant.file).read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        raise ValueError(f"{mutant.file} holds the text of {mutant.name!r} {text.count(mutant.old)} times")
    return text.replace(mutant.old, mutant.new)


def try_mutant(mutant: Mutant) -> Fate:
    """Run the cases of one mutant against a copy of the sources in which its rule is missing."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hashpact-mutant-") as folder:
        copy = Path(folder)
        for root in ROOTS:
            shutil.copytree(TREE / root, copy / root, ignore=shutil.ignore_patterns("__pycache__"))
        (copy / mutant.file).write_text(mutated(mutant), encoding="utf-8")
        report = copy / "report.json"
        with entrypoint_server(roots=[copy / root for root in ROOTS]) as command:
            line = [sys.executable, "-m", "hashpact_conformance", "reader", "--entrypoint", command]
            line += ["-k", mutant.cases, "--json", str(report)]
            environment = {**os.environ, "PYTHONPATH": str(TREE / "tests")}
            done = subprocess.run(
                line, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS
            )
        seconds = time.monotonic() - started
        if done.returncode not in (0, 1) or not report.exists():
            return Fate(mutant, 0, 0, seconds, (done.stderr or done.stdout).strip()[-300:])
        outcomes = [one["outcome"] for one in json.loads(report.read_bytes())["cases"]]
    return Fate(mutant, outcomes.count("failed"), len(outcomes), seconds)


def as_table(fates: Iterable[Fate]) -> str:
    """Write the outcome as a table for people."""
    rows = [f"{fate.word:9} {fate.failed:3} of {fate.ran:3}  {fate.seconds:5.0f} s  {_line(fate)}" for fate in fates]
    return "\n".join(["outcome   failed       time  rule taken out", *rows])


def _line(fate: Fate) -> str:
    trouble = f" ({fate.trouble})" if fate.trouble else ""
    return f"{fate.mutant.name} [{fate.mutant.file}]{trouble}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all mutants, or those whose name or file holds a pattern; 1 if one survives."""
    parser = argparse.ArgumentParser(description="Take rules out of our node, and see the conformance suite notice.")
    parser.add_argument("-k", dest="pattern", default="", help="only mutants whose name or file holds this expression")
    parser.add_argument("--jobs", type=int, default=2, help="how many at the same time")
    told = parser.parse_args(arguments)
    chosen = [one for one in MUTANTS if re.search(told.pattern, f"{one.name} {one.file}")]
    fates: list[Fate] = []
    with ThreadPoolExecutor(told.jobs) as pool:
        for fate in pool.map(try_mutant, chosen):
            fates.append(fate)
            print(f"{fate.word:9} {_line(fate)}", flush=True)  # noqa: T201  a command prints
    caught = sum(fate.caught for fate in fates)
    print(f"\n{as_table(fates)}\n\n{caught} of {len(fates)} caught")  # noqa: T201  a command prints
    return 0 if fates and caught == len(fates) else 1


if __name__ == "__main__":
    sys.exit(main())
