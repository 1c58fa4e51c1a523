"""Files to be listed: hashed, drafted, and looked for among what is listed already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hashpact_node.services.blobs import NewBlob, read_new_blobs
from hashpact_node.services.drafts import ListingDraft, check_origin
from hashpact_node.services.hashing import HashedFile, hash_file
from hashpact_node.services.own_listings import OwnListing
from hashpact_protocol.errors import RequestError
from hashpact_protocol.signals import Signal


@dataclass(frozen=True, slots=True)
class FilesToList:
    """Files as they were hashed, the draft of a listing of each, and the blobs that these name."""

    files: list[HashedFile]
    drafts: list[ListingDraft]
    blobs: list[tuple[Signal, bytes]]


def prepare_files(
    paths: Sequence[Path], blobs: Sequence[NewBlob], fields: Mapping[str, Any], *, allow_foreign_origin: bool
) -> FilesToList:
    """Hash files, and draft a listing of each with those fields of ``ListingDraft``; ``blobs`` belong to a single file.

    Raises RequestError for blobs of several files and for a foreign origin, SignalError, and what ``hash_file`` raises.
    """
    if blobs and len(paths) != 1:
        raise RequestError("blobs belong to one file", mend="publish the files one by one, each with its blobs")
    made = read_new_blobs(blobs)
    files = [_with_signals(hash_file(path), [signal for signal, _ in made]) for path in paths]
    drafts = [_file_draft(file, fields) for file in files]
    for draft in drafts:
        check_origin(draft.origin, allow_foreign=allow_foreign_origin, where=draft.where)
    return FilesToList(files, drafts, made)


def missing_files(
    ready: FilesToList, names: Sequence[str], standing: Mapping[bytes, Mapping[str, OwnListing]]
) -> dict[bytes, tuple[ListingDraft, list[str]]]:
    """Give what is to be listed, by SHA-256: the draft, and the logs of those names that do not list it yet.

    ``standing`` says where what is listed. The first of several equal files is the one that is published.
    """
    new: dict[bytes, tuple[ListingDraft, list[str]]] = {}
    for file, draft in zip(ready.files, ready.drafts, strict=True):
        here = standing.get(file.sha256, {})
        missing = [name for name in names if name not in here]
        known = next((one.listing.id for one in here.values()), None)
        if missing and file.sha256 not in new:
            new[file.sha256] = (replace(draft, id=known), missing)
    return new


def columns(pairs: Iterable[tuple[ListingDraft, list[str]]]) -> tuple[list[ListingDraft], list[list[str]]]:
    """Give drafts and their logs each by themselves."""
    rows = list(pairs)
    return [draft for draft, _ in rows], [names for _, names in rows]


def _with_signals(file: HashedFile, signals: Sequence[Signal]) -> HashedFile:
    return replace(file, signals=(*file.signals, *signals))


def _file_draft(file: HashedFile, fields: Mapping[str, Any]) -> ListingDraft:
    given = {name: value for name, value in fields.items() if value is not None}
    return ListingDraft(signals=file.signals, where=file.name, **{"content": file.content, **given})
