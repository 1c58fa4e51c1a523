"""A secretariat's home: its keys, and the directory that they sign, as files that any web server can serve.

It holds no database and runs no node. What it publishes is a trust repository like a member's, whose one product is the
directory (docs/protocol.md, Directory).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from hashpact_keys.keystore import KeyStore
from hashpact_keys.public_keys import generate
from hashpact_keys.rows import TRUST_ROWS, RowName, TrustRole
from hashpact_keys.signers import key_path
from hashpact_keys.trust import (
    TrustSigners,
    TrustState,
    create_trust,
    current_card,
    describe,
    needs_renewal,
    publish_card,
    renew_online,
)
from hashpact_keys.trust_files import METADATA, TARGETS, TIMESTAMP_FILE, FileId, TrustFiles, newest
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.likeness import about_names, about_place
from hashpact_node.services.whole_files import write_whole
from hashpact_node.setting_forms import DEFAULT_KEYS
from hashpact_node.settings import NODE_TOML
from hashpact_node.store.locks import HomeLock
from hashpact_protocol.card import Card
from hashpact_protocol.directory import (
    DIRECTORY_PATH,
    Directory,
    DirectoryMember,
    Standing,
    encode_directory,
    parse_directory,
)
from hashpact_protocol.errors import ConfigurationError, ConflictError, NotFoundError
from hashpact_protocol.lookalikes import resembles
from hashpact_protocol.names import MemberUrl, parse_fingerprint, parse_member_id
from hashpact_protocol.statement_fields import format_time

TRUST: Final = "trust"
KEY_URIS: Final[Mapping[str, tuple[str, ...]]] = {row.value: DEFAULT_KEYS[row.value] for row in TRUST_ROWS}
_OURS: Final = re.compile(
    r"metadata/([1-9][0-9]{0,15}\.(root|targets|snapshot)|timestamp)\.json|targets/[0-9a-f]{64}\.directory\.json"
)


@dataclass(slots=True)
class _Draft:
    """What is to be said: members by id, and the incidents that are active."""

    members: dict[str, DirectoryMember]
    incidents: set[str]


@dataclass(frozen=True, slots=True)
class DirectoryHome:
    """The folder of a secretariat; a change is signed at once, and seen by nobody before ``publish``."""

    folder: Path
    keystore: KeyStore
    now: Callable[[], datetime]

    def found(self, name: str) -> str:
        """Make keys and an empty directory, and give the fingerprint of the root, by which nodes pin it.

        Raises ConflictError for a folder that holds a node or a directory already, KeyUnavailableError, DirectoryError.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with HomeLock(self.folder).exclusive():
            if (self.folder / NODE_TOML).exists() or (self.folder / TRUST).exists():
                raise ConflictError(
                    "this folder is in use already", where=str(self.folder), mend="give a new one with --home"
                )
            directory = encode_directory(Directory(name, ()))
            parse_directory(directory)
            made: list[Path] = []
            try:
                for (uri,) in KEY_URIS.values():
                    generate(uri, self.keystore)
                    made.append(self.keystore.locate(key_path(uri)))
                files = create_trust(self._signers(root=True), directory, self.now(), path=DIRECTORY_PATH)
                write_repository(self.folder, files)
            except BaseException:
                for path in made:
                    path.unlink(missing_ok=True)
                shutil.rmtree(self.folder / TRUST, ignore_errors=True)
                raise
        return describe(files).fingerprint

    def state(self) -> tuple[Directory, TrustState]:
        """Give the directory as it is signed, and how its repository stands; ConfigurationError where there is none."""
        files = self._load()
        return parse_directory(current_card(files)[1]), describe(files)

    def admit(self, member: str, url: str, fingerprint: str) -> DirectoryMember:
        """List a member under a root, or list it anew under another root or URL.

        Raises MemberNameError, DirectoryError for a URL that collides with another's, and ConflictError for one that
        is listed so already, or is suspended: only ``readmit`` ends that.
        """
        parse_member_id(member)
        entry = DirectoryMember(
            member, str(MemberUrl.parse(url)), parse_fingerprint(fingerprint), Standing.ADMITTED, self._since()
        )
        with self._changing() as draft:
            before = draft.members.get(member)
            if before is not None and before.standing is Standing.SUSPENDED:
                raise ConflictError(
                    f"{member} is suspended: {before.reason or 'no reason was given'}",
                    mend=f"`hashpact directory readmit {member}` first, if the secretariat decided so",
                )
            if before is not None and replace(before, since=entry.since) == entry:
                raise ConflictError(f"{member} is admitted so already", mend="see `hashpact directory list`")
            draft.members[member] = entry
        return entry

    def cautions(self, card: Card, fingerprint: str) -> list[str]:
        """Give the reasons to look twice at somebody who is to be listed, beside those who are.

        No cards are kept here: names and keys of others are not compared, ids, addresses and roots are.
        """
        found = list(about_names(card))
        for other in self.state()[0].members:
            if other.member == card.member:
                continue
            found += about_place(card.member, card.url, other.member, other.url)
            if resembles(card.name, other.member):
                found.append(f"the name {card.name} may be taken for {other.member}")
            if fingerprint == other.fingerprint:
                found.append(f"{other.member} is listed under the same root")
        return found

    def suspend(self, member: str, reason: str | None = None) -> DirectoryMember:
        """Say that a member is suspended, and why; NotFoundError, ConflictError where it is already."""
        return self._stand(member, Standing.SUSPENDED, reason)

    def readmit(self, member: str) -> DirectoryMember:
        """Say that a suspended member is admitted again; NotFoundError, ConflictError where it is not suspended."""
        return self._stand(member, Standing.ADMITTED, None)

    def activate(self, incident: str) -> None:
        """Call an incident active; ConflictError where it is called so already, DirectoryError for what is no id."""
        with self._changing() as draft:
            if incident in draft.incidents:
                raise ConflictError("the directory calls it active already", where=incident)
            draft.incidents.add(incident)

    def conclude(self, incident: str) -> None:
        """Call an incident active no more; NotFoundError where it was not."""
        with self._changing() as draft:
            if incident not in draft.incidents:
                raise NotFoundError(
                    "the directory calls no such incident active", where=incident, mend="see `hashpact directory list`"
                )
            draft.incidents.remove(incident)

    def publish(self, folder: Path) -> TrustState:
        """Write what nodes read below ``folder``; timestamp and snapshot are signed anew where half their life is over.

        Raises ConfigurationError, KeyUnavailableError and RequestError.
        """
        with HomeLock(self.folder).exclusive():
            files = self._load()
            if needs_renewal(files, self.now()):
                files = renew_online(files, self._keyring().trust_signers(RowName.ONLINE), self.now())
                write_repository(self.folder, files)
            write_repository(folder, files)
        return describe(files)

    def _stand(self, member: str, standing: Standing, reason: str | None) -> DirectoryMember:
        with self._changing() as draft:
            members = draft.members
            if member not in members:
                raise NotFoundError(f"{member} is not listed", mend="see `hashpact directory list`")
            if members[member].standing is standing:
                raise ConflictError(f"{member} is {standing.value} already", mend="see `hashpact directory list`")
            entry = replace(members[member], standing=standing, since=self._since(), reason=reason)
            members[member] = entry
        return entry

    @contextmanager
    def _changing(self) -> Iterator[_Draft]:
        """Let the body change what the directory says, and sign what it made of it."""
        with HomeLock(self.folder).exclusive():
            files = self._load()
            directory = parse_directory(current_card(files)[1])
            draft = _Draft({one.member: one for one in directory.members}, set(directory.incidents))
            yield draft
            members, incidents = tuple(draft.members.values()), tuple(draft.incidents)
            data = encode_directory(replace(directory, members=members, incidents=incidents))
            parse_directory(data)
            write_repository(
                self.folder, publish_card(files, data, self._signers(root=False), self.now(), path=DIRECTORY_PATH)
            )

    def _load(self) -> TrustFiles:
        files: TrustFiles = {}
        for place in (METADATA, TARGETS):
            folder = self.folder / TRUST / place
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                if _OURS.fullmatch(f"{place}/{path.name}"):
                    files[place, path.name] = path.read_bytes()
        if newest(files, TrustRole.ROOT) is None:
            raise ConfigurationError(
                "there is no directory in this folder",
                where=str(self.folder),
                mend="run `hashpact directory init`, or name its folder with --home",
            )
        return files

    def _signers(self, *, root: bool) -> TrustSigners:
        keyring = self._keyring()
        return TrustSigners(
            online=keyring.trust_signers(RowName.ONLINE),
            targets=keyring.trust_signers(RowName.TARGETS),
            root=keyring.trust_signers(RowName.ROOT) if root else (),
        )

    def _keyring(self) -> Keyring:
        return Keyring(self.keystore, KEY_URIS)

    def _since(self) -> str:
        return format_time(self.now())


def write_repository(folder: Path, files: Mapping[FileId, bytes]) -> None:
    """Write a repository below ``folder/trust`` so that a reader finds it whole at any moment; drop what is too old.

    What a file names is there before it: the timestamp comes last. Raises RequestError.
    """
    order = sorted(files, key=lambda file: (file == TIMESTAMP_FILE, file[0] == METADATA, file))
    for place, name in order:
        target = folder / TRUST / place / name
        if not target.is_file() or target.read_bytes() != files[place, name]:
            write_whole(target, files[place, name])
    for place in (METADATA, TARGETS):
        for path in sorted((folder / TRUST / place).iterdir()):
            if (place, path.name) not in files and _OURS.fullmatch(f"{place}/{path.name}"):
                path.unlink(missing_ok=True)
