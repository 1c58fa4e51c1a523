"""Fetch a member's card with a stock TUF client, ``tuf.ngclient.Updater`` with the fetcher that it comes with."""

from __future__ import annotations

import hashlib
import urllib.request
from pathlib import Path

from tuf.ngclient.updater import Updater  # noqa: TID251  that any TUF client can read it is the point here


def fetch_card(url: str, fingerprint: str, folder: Path) -> Path:
    """Fetch the card of the member at ``url`` from the root of that fingerprint on; where it lies now."""
    version, _, digest = fingerprint.split(":")
    with urllib.request.urlopen(f"{url}/trust/metadata/{version}.root.json", timeout=60) as answer:  # noqa: S310  a node of a test
        root: bytes = answer.read()
    assert hashlib.sha256(root).hexdigest() == digest
    metadata, targets = folder / "metadata", folder / "targets"
    for place in (metadata, targets):
        place.mkdir(parents=True, exist_ok=True)
    updater = Updater(
        metadata_dir=str(metadata),
        metadata_base_url=f"{url}/trust/metadata/",
        target_dir=str(targets),
        target_base_url=f"{url}/trust/targets/",
        bootstrap=root,
    )
    updater.refresh()
    target = updater.get_targetinfo("member.json")
    assert target is not None
    return Path(updater.download_target(target))
