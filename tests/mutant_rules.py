"""The rules that ``mutants.py`` takes out of our node, one at a time."""

from __future__ import annotations

from dataclasses import dataclass

PROTOCOL, KEYS, NODE = "protocol/hashpact_protocol/", "keys/hashpact_keys/", "node/hashpact_node/"


@dataclass(frozen=True)
class Mutant:
    """One rule taken out: in ``file`` the text ``old``, which stands there once, becomes ``new``.

    ``cases`` is a regular expression of the ids of cases of one mode, of which at least one must fail. Of a pair, the
    first node is the mutant, and the second is not.
    """

    name: str
    file: str
    old: str
    new: str
    cases: str

    @property
    def mode(self) -> str:
        """The mode of the suite that its cases belong to: the first word of their ids."""
        return self.cases.partition("-")[0]


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
    # what is served
    Mutant(
        "a closed log goes on to show its checkpoint",
        NODE + "services/log_files.py",
        '        if log.state != "open":\n            raise GoneError("this log is closed"',
        '        if False:\n            raise GoneError("this log is closed"',
        "publisher-log-closed",
    ),
    Mutant(
        "paths may be escaped",
        NODE + "api/files.py",
        '    if b"%" in request.scope.get("raw_path", b""):\n',
        "    if False:\n",
        "publisher-log-spelling-(checkpoint|entries)-escaped",
    ),
    Mutant(
        "who has a file gets it again",
        NODE + "api/files.py",
        '    return etag in {tag.removeprefix("W/") for tag in _TAG.findall(if_none_match)}\n',
        "    return False\n",
        "publisher-fetch-not-modified-(same|list|weak)",
    ),
    Mutant(
        "a timestamp is valid for a month",
        KEYS + "rows.py",
        "    TrustRole.TIMESTAMP: timedelta(days=1),\n",
        "    TrustRole.TIMESTAMP: timedelta(days=30),\n",
        "publisher-trust-validity-timestamp-1",
    ),
    # witnesses
    Mutant(
        "growth is not proven",
        PROTOCOL + "witness.py",
        "    verify_consistency(latest.size, latest.root, checkpoint.size, checkpoint.root, request.proof)\n",
        "    if latest.size == checkpoint.size:\n        verify_consistency(0, b'', 0, b'', ())\n",
        "witness-witness-wrong-proof-(altered|of-zeros)",
    ),
    Mutant(
        "the old size may be any",
        NODE + "services/witnessing.py",
        "        if request.old != known.log.cosigned_size:\n            return Stands(known.log.cosigned_size)\n",
        "",
        "witness-witness-conflict-(0|3)",
    ),
    Mutant(
        "what nobody signed is cosigned",
        NODE + "services/witnessing.py",
        "        check_log_signatures(request.parsed, known.trust)\n",
        "",
        "witness-notes-(unsigned|strange-key|forged)",
    ),
    Mutant(
        "the old size may lie above the new one",
        NODE + "services/witnessing.py",
        "        if request.old > size:\n",
        "        if False:\n",
        "witness-witness-old-above",
    ),
    # two nodes
    Mutant(
        "an erased log is served on",
        NODE + "services/log_files.py",
        "    if log.erased:\n",
        "    if False:\n",
        "pair-fetch-erased-is-gone",
    ),
    Mutant(
        "a successor restates what is withdrawn",
        NODE + "services/restating.py",
        "            if (live[position] or place in others) and place not in gone:\n",
        "            if position >= 0:\n",
        "pair-fetch-erased-is-not-restated",
    ),
    Mutant(
        "an erasure does not mark the logs before it",
        NODE + "services/succession.py",
        "            if successor.restated.left_out:\n",
        "            if False:\n",
        "pair-log-erasure-a",
    ),
    Mutant(
        "a successor replaces nothing",
        NODE + "services/digests.py",
        "        if log.fresh is not None and (nothing_held or log.held_size >= log.fresh):\n",
        "        if False:\n",
        "pair-log-succession-b",
    ),
    Mutant(
        "a withdrawal is forgotten",
        NODE + "services/publishing.py",
        "                add_entries(connection, log.number, [entry], now=now)\n                forget_publications",
        "                forget_publications",
        "pair-statements-withdraw-a",
    ),
    Mutant(
        "a withdrawal of a peer withdraws nothing",
        PROTOCOL + "merge.py",
        "            self.merged.owners[identifier] = owner._replace(live=False)\n",
        "",
        "pair-statements-withdraw-b",
    ),
)
