"""Answers about listings, peers and the node itself."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from hashpact_node.api.models import PDQ, TIME, Model
from hashpact_node.api.models_keys import KeyFinding, KeyRow

LISTING = "6f1c2f0e-6f5c-4b0e-9d0a-0f6d2a1b3c4d"
ORIGIN = "acme.example/logs/listings-1"


class Published(Model):
    """A listing that was published, or a withdrawal of it."""

    id: str = Field(description="The id of the listing.", examples=[LISTING])
    origin: str = Field(description="The log that it stands in.", examples=[ORIGIN])
    index: int | None = Field(description="Its place there; null while it waits to be released.", examples=[4711])
    size: int | None = Field(description="The released size of that log; null while it waits.", examples=[4712])
    existing: bool = Field(description="Whether it was listed already, so that nothing was added.")
    notice: str | None = Field(description="Why it waits, if something hinders it.", examples=[None])
    rests_until: str | None = Field(
        None,
        description="When it may be released at the earliest, if it rests: until then it can be taken back.",
        examples=[None],
    )


class PublishedMany(Model):
    """The listings of one body of NDJSON."""

    count: int = Field(description="How many.", examples=[2])
    listings: list[Published] = Field(description="One for each line, in order.")


class Blob(Model):
    """A blob that is here, as the signal of a listing names it."""

    type: str = Field(description="The signal type.", examples=["vpdq"])
    sha256: str = Field(description="The SHA-256 of its bytes.", examples=["ef" * 32])
    length: int = Field(description="Its length in bytes.", examples=[81920])
    existing: bool = Field(description="Whether it was here already.")


class ListedSignal(Model):
    """A signal of a listing."""

    type: str = Field(description="The signal type.", examples=["pdq"])
    value: str = Field(description="The value; of a blob its SHA-256.", examples=[PDQ])
    quality: int | None = Field(description="The quality, for types that have one.", examples=[98])
    blob_length: int | None = Field(description="The length of a blob in bytes.", examples=[None])


class Listing(Model):
    """An own listing, as it stands once all is released that waits."""

    id: str = Field(description="Its id.", examples=[LISTING])
    state: Literal["queued", "released", "withdrawn"] = Field(description="How it stands.")
    live: bool = Field(description="Whether it is listed: not withdrawn.")
    name: str = Field(description="The name of its logs.", examples=["listings"])
    origin: str = Field(description="The log of its newest revision.", examples=[ORIGIN])
    index: int | None = Field(description="Its place there; null while it waits.", examples=[4711])
    time: str = Field(description="When it was published.", examples=[TIME])
    content: str = Field(description="What it is.", examples=["image"])
    signals: list[ListedSignal] = Field(description="Its hashes.")
    labels: list[str] = Field(description="Its labels.", examples=[["behaviour:glorification"]])
    confirmed: str | None = Field(description="Who or what confirmed it.", examples=["human"])
    handling: str = Field(description="`members`, `this-log` or `no-reshare`.", examples=["members"])
    material: str = Field(description="Whose material it is: the field `origin` of the entry.", examples=["own"])
    incident: str | None = Field(description="The incident that it belongs to.", examples=[None])
    expires: str | None = Field(description="When it stops acting.", examples=[None])
    review_by: str | None = Field(description="When it is to be looked at again.", examples=[None])
    note: str | None = Field(description="Words for people.", examples=[None])
    preserve: bool = Field(description="Whether the content is to be preserved as evidence.")
    audiences: list[str] = Field(
        description="Whom it is for: audiences by name, `everybody` for all members.", examples=[["everybody"]]
    )
    notice: str | None = Field(description="Why something of it waits, if that was waited for.", examples=[None])


class Audience(Model):
    """Members who read a log of ours that nobody else may."""

    name: str = Field(description="Its name, which nobody else learns.", examples=["eu-desk"])
    log: str = Field(description="The name of its log in the card.", examples=["listings-5b0d1c7e92aa4f36"])
    origin: str | None = Field(description="The log; null once the audience has ended.")
    readers: list[str] = Field(description="The members who read it.", examples=[["beta", "gamma"]])
    created_at: str = Field(description="When it began.", examples=[TIME])
    closed_at: str | None = Field(description="When it ended.", examples=[None])
    size: int = Field(description="How many entries its log shows.", examples=[12])
    live: int = Field(description="How many listings live in it.", examples=[11])
    waiting: int = Field(description="How many statements wait to be released into it.", examples=[0])


class Audiences(Model):
    """The audiences of this member."""

    audiences: list[Audience] = Field(description="By name.")


class Trouble(Model):
    """An error that stands with what it is about."""

    code: str = Field(description="A word for programs.", examples=["fetch-timeout"])
    what: str = Field(description="What happened.", examples=["the peer did not answer within 15 s"])
    where: str | None = Field(None, description="Where.", examples=["https://beta.example/logs/listings-1/checkpoint"])
    mend: str | None = Field(None, description="How to mend it.", examples=["see whether the peer is up"])


class Log(Model):
    """One log, own or followed."""

    member: str = Field(description="Whose log it is.", examples=["acme"])
    own: bool = Field(description="Whether it is this member's.")
    name: str = Field(description="Its name; logs of one name follow each other.", examples=["listings"])
    origin: str = Field(description="Its origin.", examples=[ORIGIN])
    state: str = Field(
        description="`open` or `closed`; `not-for-us` where it is of an audience that is not ours.", examples=["open"]
    )
    counts: bool = Field(description="Whether claims are taken from it.")
    size: int = Field(description="The accepted size in entries; of an own log the shown one.", examples=[4712])
    held: int = Field(description="How much of it is merged.", examples=[4712])
    live: int = Field(description="How many live listings it holds.", examples=[4000])
    waiting: int = Field(description="How many own statements wait to be released into it.", examples=[0])
    stale: bool = Field(
        description="Whether its publisher has not cosigned it for too long; its listings stay in force."
    )
    quarantined: int = Field(description="How many entries were malformed, and are kept apart.", examples=[0])
    cosigned_at: str | None = Field(description="When its publisher last cosigned it, as seen here.", examples=[TIME])
    stopped_at: int | None = Field(
        description="The place of a critical entry that this version does not know, where its claims end.",
        examples=[None],
    )
    dropped_signals: int = Field(description="How many signals of sound entries were malformed.", examples=[0])
    unknown_statements: int = Field(description="How many entries are of kinds that are not known here.", examples=[0])


class Alarm(Model):
    """Something that a person must see."""

    number: int = Field(description="Its number.", examples=[3])
    code: str = Field(description="A word for programs.", examples=["log-forked"])
    member: str | None = Field(description="Whom it is about.", examples=["beta"])
    origin: str | None = Field(description="Which log it is about.", examples=["beta.example/logs/listings-1"])
    what: str = Field(description="What happened.", examples=["entries do not hash to the root"])
    mend: str | None = Field(description="What to do.", examples=["ask the member"])
    first_at: str = Field(description="When it first happened.", examples=[TIME])
    last_at: str = Field(description="When it last happened.", examples=[TIME])
    times: int = Field(description="How often.", examples=[2])


class PeerState(Model):
    """How reading one peer goes."""

    member: str = Field(description="The peer's id.", examples=["beta"])
    url: str = Field(description="Its URL.", examples=["https://beta.example"])
    state: str = Field(description="`active`, `paused`, `suspended` or `removed`.", examples=["active"])
    fingerprint: str | None = Field(
        description="The root by which it was pinned.",
        examples=["1:sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    )
    card_version: int | None = Field(description="The version of its accepted card.", examples=[1795500000])
    trust_checked_at: str | None = Field(description="When its trust repository was last read.", examples=[TIME])
    last_good_at: str | None = Field(description="When it was last read without an error.", examples=[TIME])
    last_try_at: str | None = Field(description="When it was last tried.", examples=[TIME])
    next_try_at: str | None = Field(description="Until when it is left alone after errors.", examples=[None])
    failures: int = Field(description="How often in a row it failed.", examples=[0])
    last_error: Trouble | None = Field(description="What went wrong last; null if it went well.")
    trust_error: Trouble | None = Field(description="What is wrong with its trust repository; null if nothing.")
    stale: bool = Field(description="Whether it has not said for too long that one of its open logs is fresh.")
    blobs_held: int = Field(description="How many blobs that its listings name are here.", examples=[12])
    blobs_missing: int = Field(description="How many are not here, or not yet.", examples=[0])
    blob_bytes: int = Field(description="How many bytes of blobs it brought.", examples=[983040])


class PeerDecision(Model):
    """Who last decided whether a peer is followed."""

    by: Literal["local", "directory"] = Field(description="A person here, or the directory that is followed.")
    at: str = Field(description="When.", examples=[TIME])
    reason: str | None = Field(description="Why, if that was said.", examples=["its release key was stolen"])


class Peer(PeerState):
    """One peer with its logs and alarms."""

    decision: PeerDecision | None = Field(description="Who last decided whether it is followed.")
    logs: list[Log] = Field(description="Its logs.")
    alarms: list[Alarm] = Field(description="What a person must see about it.")


class PeerPreview(Model):
    """A member as its own repository shows it under the pin, before it is trusted."""

    member: str = Field(description="Its id.", examples=["beta"])
    url: str = Field(description="Its URL.", examples=["https://beta.example"])
    name: str = Field(description="Its name for people, as its card says it.", examples=["Beta Social Ltd."])
    contacts: list[str] = Field(description="Ways to its people.", examples=[["mailto:trust@beta.example"]])
    pinned: str = Field(description="The fingerprint by which it would be pinned.", examples=["1:sha256:5f2c…"])
    fingerprint: str = Field(description="That of its newest root.", examples=["3:sha256:a94a…"])
    root_version: int = Field(description="The version of that root.", examples=[3])
    root_threshold: int = Field(description="How many root keys must sign.", examples=[2])
    root_keys: int = Field(description="How many root keys there are.", examples=[3])
    root_expires: str = Field(description="Until when that root is valid.", examples=[TIME])
    card_version: int = Field(description="The version of its card.", examples=[1764000000])
    card_expires: str = Field(description="Until when its card is signed.", examples=[TIME])
    logs: list[str] = Field(description="The names of its logs.", examples=[["listings", "crisis"]])
    witness_keys: int = Field(description="How many witness keys its card names.", examples=[1])
    request_keys: int = Field(description="How many request keys its card names.", examples=[1])
    known_to: list[str] = Field(description="Which peers trust the very same card.", examples=[["gamma"]])
    peers_asked: int = Field(description="How many peers were asked, and answered.", examples=[2])
    directory: str | None = Field(
        description="What the directory says of it; null where none is followed.", examples=["does not list it"]
    )
    cautions: list[str] = Field(description="Reasons to look twice.", examples=[[]])


class MalformedPart(Model):
    """An entry of a peer's log, or one signal of it, that is malformed and claims nothing."""

    origin: str = Field(description="The log.", examples=["beta.example/logs/listings-1"])
    position: int = Field(description="The index of the entry in that log, from 0.", examples=[4711])
    part: int = Field(description="0 for the whole entry; from 1, which of its signals.", examples=[0])
    code: str = Field(description="What kind of fault it is.", examples=["statement-malformed"])
    reason: str = Field(description="What is wrong, in words.", examples=["signals: this is no hexadecimal text"])


class Quarantine(Model):
    """What is malformed in a peer's logs."""

    malformed: list[MalformedPart] = Field(description="In order of log and index.")


class Peers(Model):
    """All peers, in order of their ids."""

    peers: list[Peer] = Field(description="The peers.")


class PulledLog(Model):
    """What pulling one log came to."""

    origin: str = Field(description="The log.", examples=["beta.example/logs/listings-1"])
    before: int = Field(description="Its merged size before.", examples=[4000])
    after: int = Field(description="Its merged size now.", examples=[4712])
    verdict: str = Field(description="What its checkpoint came to.", examples=["accepted"])


class Pulled(Model):
    """What one pull came to. An error of the peer is told here, and is none of the request."""

    member: str = Field(description="The peer.", examples=["beta"])
    ok: bool = Field(description="Whether nothing went wrong.")
    logs: list[PulledLog] = Field(description="The logs that were read.")
    errors: list[Trouble] = Field(description="What went wrong; what was verified before stays.")
    requests: int = Field(description="How many requests that took, those for trust files left out.", examples=[4])
    bytes: int = Field(description="How many bytes they brought.", examples=[97431])
    unfinished: str | None = Field(description="Why it ended early, by nobody's fault: it goes on at the next pull.")


class Job(Model):
    """A job of the schedule."""

    name: str = Field(description="Its name.", examples=["pull/beta"])
    next_run_at: str | None = Field(description="When it runs next.", examples=[TIME])
    last_run_at: str | None = Field(description="When it last ran.", examples=[TIME])
    last_result: str | None = Field(description="`ok` or `failed`.", examples=["ok"])
    last_error: str | None = Field(description="What went wrong then.", examples=[None])
    duration_ms: int | None = Field(description="How long it took, in milliseconds.", examples=[41])
    runner: str | None = Field(description="The process that ran it.", examples=["host-1:4242"])


class Corrections(Model):
    """How long withdrawals of a member took, within 7 days, from their time to their merge here."""

    member: str = Field(description="The member.", examples=["beta"])
    withdrawals: int = Field(description="How many, of listings that acted here.", examples=[3])
    average_seconds: int = Field(description="On average.", examples=[4])
    longest_seconds: int = Field(description="The slowest.", examples=[9])
    within_minute: int = Field(description="How many within a minute.", examples=[3])
    within_hour: int = Field(description="How many within an hour, those included.", examples=[3])
    within_day: int = Field(description="How many within a day, those included.", examples=[3])


class Status(Model):
    """How this node is doing."""

    member: str = Field(description="This member's id.", examples=["acme"])
    name: str = Field(description="Its name for people.", examples=["Acme Video Inc."])
    url: str = Field(description="Its public URL.", examples=["https://acme.example"])
    version: str = Field(description="The version of Hashpact.", examples=["0.1.0"])
    time: str = Field(description="The time at this node.", examples=[TIME])
    signing: str = Field(description="Whether this member signs, or what that waits for.", examples=["signs"])
    database: Literal["sqlite", "postgresql"] = Field(description="The kind of database.")
    logs: list[Log] = Field(description="All logs, own ones first.")
    peers: list[PeerState] = Field(description="All peers.")
    blocklist: dict[str, Any] = Field(
        description="How many signals there are of each action.",
        examples=[{"block": 120, "review": 4812, "observe": 0, "ignore": 3}],
    )
    last_change: int = Field(description="The number of the newest change of the blocklist.", examples=[5120])
    queue: int = Field(description="How many own statements wait to be released.", examples=[0])
    disputes: int = Field(description="How many disputes of own listings are open.", examples=[0])
    corrections: list[Corrections] = Field(description="How fast withdrawals arrived.")
    audit_head: str = Field(description="The head of the audit log, `SIZE:HEX`.", examples=[f"17:{'ab' * 32}"])
    refused: dict[str, Any] = Field(
        description="How many requests were refused for want of a valid `token`, because so many came from an "
        "`address`, for want of a `scope`, because of a token's `rate`; at the door for members for want of a valid "
        "`signature`, or of a `member` too often. What a process counted comes here in seconds.",
        examples=[{"token": 12, "address": 0, "scope": 1, "rate": 0, "signature": 3, "member": 0}],
    )
    alarms: list[Alarm] = Field(description="What a person must see, the newest first.")
    jobs: list[Job] = Field(description="The jobs of the schedule.")
    keys: list[KeyRow] = Field(description="The rows of keys.")
    key_findings: list[KeyFinding] = Field(description="What is wrong with the keys, the gravest first.")
