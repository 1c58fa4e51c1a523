"""What a draft changes, in words for the people who are to sign it, told from what they sign and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from hashpact_keys.ceremony_draft import DRAFT, Draft, Holder, card_of_draft, fingerprint_of, holder_of
from hashpact_keys.rows import ROWS, TRUST_ROWS, RowName
from hashpact_keys.trust_checks import load, load_root
from hashpact_protocol.card import Card, RequestKey, WitnessKey
from hashpact_protocol.card_changes import card_changes

ROOT_KEYS_ADVISED: Final = 3
ROOT_THRESHOLD_ADVISED: Final = 2


def changes_in_words(draft: Draft) -> list[str]:
    """One line a change; what is dangerous begins with ``WARNING``.

    Raises:
        TrustError, CardError: the draft is none, which ``parse_draft`` would have found.
    """
    lines = [f"member {draft.member} at {draft.url}, whose root in force is {fingerprint_of(draft)}"]
    if draft.root is not None:
        lines += _root_lines(draft)
    before, after = card_of_draft(draft, draft.card_before), card_of_draft(draft, draft.card)
    if after is not None and draft.targets is not None:
        expires = load(draft.targets, where=DRAFT).signed.expires
        lines += [f"the card is signed until {expires:%Y-%m-%d}", *_card_lines(before, after)]
    return lines


def digest_in_groups(digest: str) -> str:
    """A digest as one reads it aloud: sixteen groups of four."""
    return " ".join(digest[at : at + 4] for at in range(0, len(digest), 4))


def _root_lines(draft: Draft) -> Iterator[str]:
    old = load_root(draft.base, where=DRAFT).signed
    new = load_root(draft.governing_root, where=DRAFT).signed
    was = f"was {old.expires:%Y-%m-%d}"
    yield f"root {new.version} follows root {old.version}, valid until {new.expires:%Y-%m-%d} ({was})"
    for row in TRUST_ROWS:
        yield from _row_lines(row, old, new)
    role = new.roles["root"]
    if role.threshold < ROOT_THRESHOLD_ADVISED or len(role.keyids) < ROOT_KEYS_ADVISED:
        yield (
            f"WARNING: {role.threshold} of {len(role.keyids)} root keys can take this member's name; use 2 of 3 or more"
        )


def _row_lines(row: RowName, old: Any, new: Any) -> Iterator[str]:
    role = ROWS[row].roles[0].value
    before, after = _holders(old, role), _holders(new, role)
    was, now = (f"{root.roles[role].threshold} of {len(root.roles[role].keyids)}" for root in (old, new))
    if (was, before.keys()) == (now, after.keys()):
        yield f"{row.value}: {now} keys, as before"
        return
    yield f"{row.value}: {now} keys must sign (was {was})"
    for key_id in (one for one in after if one not in before):
        yield f"{row.value}: + {_name(after[key_id])} joins"
    for key_id in (one for one in before if one not in after):
        yield f"{row.value}: - {_name(before[key_id])} leaves, and counts no more"


def _holders(root: Any, role: str) -> dict[str, Holder]:
    return {key_id: holder_of(root.keys[key_id]) for key_id in root.roles[role].keyids if key_id in root.keys}


def _name(holder: Holder) -> str:
    key = f"key sha256:{holder.fingerprint[:16]}…"
    return f"{holder.name} ({key})" if holder.name else key


def _card_lines(before: Card | None, after: Card) -> Iterator[str]:
    if before is None or before == after:
        yield "the card stays as it is" if before is not None else "this is the first card"
        return
    for change in card_changes(before, after):
        yield f"{'WARNING: ' if change.alarm else ''}card: {change.subject} {change.what}"
    yield from _key_lines("witness", before.witness_keys, after.witness_keys)
    yield from _key_lines("request", before.request_keys, after.request_keys)
    for name in ("name", "contacts"):
        if getattr(before, name) != getattr(after, name):
            yield f"card: {name} was {getattr(before, name)!a} and is {getattr(after, name)!a}"


def _key_lines(
    row: str, before: Iterable[WitnessKey | RequestKey], after: Iterable[WitnessKey | RequestKey]
) -> Iterator[str]:
    old, new = {_key_name(key): key for key in before}, {_key_name(key): key for key in after}
    for name in sorted(old.keys() - new.keys()):
        yield f"card: - {row} key {name} leaves, and counts no more"
    for name, key in new.items():
        if key != old.get(name):
            sign = "+" if name not in old else "~"
            period = f"from {key.valid_from:%Y-%m-%d %H:%M} to {key.valid_until:%Y-%m-%d %H:%M}"
            yield f"card: {sign} {row} key {name}, {period}"


def _key_name(key: WitnessKey | RequestKey) -> str:
    return key.key.name if isinstance(key, WitnessKey) else key.id
