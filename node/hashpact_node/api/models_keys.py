"""Answers about the keys of this member."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hashpact_node.api.models import TIME, Model

SEVERITY = Literal["error", "warning", "notice"]


class KeyRow(Model):
    """One row of keys, with who must act."""

    row: str = Field(description="The row.", examples=["witness"])
    expires: str | None = Field(description="When it ends; null where nothing ends.", examples=[TIME])
    who: str = Field(description="Who must do something before it ends.", examples=["a security officer"])
    what: str = Field(description="What that is.", examples=["sign a new card, `hashpact keys rotate witness`"])
    by: str | None = Field(description="By when; null where nobody must.", examples=[TIME])
    warnings: list[str] = Field(description="What somebody should do something about.", examples=[[]])


class KeyFinding(Model):
    """Something about the keys that somebody should know or mend."""

    code: str = Field(
        description="A word for programs; docs/operations.md, Findings about keys, lists them.",
        examples=["offline-key-here"],
    )
    severity: SEVERITY = Field(description="Mend it now, mend it soon, or know it.")
    row: str | None = Field(description="The row that it is about.", examples=["root"])
    what: str = Field(description="What is wrong.", examples=["the file of a root key lies on the serving host"])
    where: str | None = Field(description="The key or file, never with a PIN.", examples=["file:keys/root.key"])
    mend: str = Field(description="What to do.", examples=["move it to a machine that is never online"])


class Duty(Model):
    """One row of keys as people plan by it."""

    row: str = Field(description="The row.", examples=["root"])
    threshold: int | None = Field(
        description="How many keys of those named must sign; null where each counts for itself.", examples=[2]
    )
    named: int = Field(description="How many keys root or card name for it.", examples=[3])
    expires: str | None = Field(description="When it ends; null where nothing ends.", examples=[TIME])
    who: str = Field(description="Who must act.", examples=["the root holders"])
    what: str = Field(description="What they must do.", examples=["sign a new root, `hashpact keys ceremony start`"])
    by: str | None = Field(description="By when; null where nobody must.", examples=[TIME])


class Role(Model):
    """One role of the trust repository, a TUF repository."""

    role: Literal["root", "targets", "snapshot", "timestamp"] = Field(description="The role.")
    version: int = Field(description="The version of its metadata.", examples=[3])
    expires: str = Field(description="When that expires.", examples=[TIME])
    threshold: int = Field(description="How many keys must sign it.", examples=[2])
    key_ids: list[str] = Field(description="The ids of the keys that may.", examples=[["3f0a" * 16]])


class Key(Model):
    """One configured key."""

    row: str = Field(description="The row that it serves.", examples=["release"])
    uri: str = Field(description="Where it lives, without any PIN.", examples=["file:keys/release.key"])
    public: str | None = Field(
        description="Its public key in hex, 32 bytes of an Ed25519 key; null where it was not looked at.",
        examples=["ab" * 32],
    )
    age_seconds: int | None = Field(description="How old its file is.", examples=[86400])
    expires: str | None = Field(description="When what hangs on it ends.", examples=[TIME])
    warnings: list[str] = Field(description="What somebody should do something about.", examples=[[]])


class Keys(Model):
    """The keys of this member."""

    member: str = Field(description="This member's id.", examples=["acme"])
    url: str = Field(description="Its public URL.", examples=["https://acme.example"])
    fingerprint: str = Field(
        description="The newest root, by which peers may pin this member.",
        examples=["1:sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    )
    card_version: int = Field(description="The version of its card.", examples=[1795500000])
    roles: list[Role] = Field(description="The roles of its trust repository.")
    keys: list[Key] = Field(description="All configured keys.")
    rows: list[Duty] = Field(description="All rows, with who must act and by when.")
    findings: list[KeyFinding] = Field(description="What is wrong, the gravest first.")
    files_looked_at: int = Field(
        description="How many files of the home were looked through for keys that should not be there.", examples=[17]
    )
