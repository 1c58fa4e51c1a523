"""What clients send. Bodies of the busy routes are read by msgspec; their models are here for OpenAPI."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hashpact_node.api.models import PDQ


class RequestModel(BaseModel):
    """The base of all requests: an unknown field is most often a misspelt one."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _never_null(schema: dict[str, Any]) -> None:
    """Say of a field that it is left out where it does not apply: null is refused, and no default."""
    (kind,) = (one for one in schema.pop("anyOf") if one != {"type": "null"})
    schema.update(kind)
    del schema["default"]


class NewSignal(RequestModel):
    """A signal: a value or, for types that come as blobs, a SHA-256 and a length."""

    type: str = Field(description="The signal type.", examples=["pdq"])
    value: str | None = Field(
        None, description="The value, in full and in lower case.", examples=[PDQ], json_schema_extra=_never_null
    )
    quality: int | None = Field(
        None, description="0 to 100, of `pdq` only, and required there.", examples=[98], json_schema_extra=_never_null
    )
    sha256: str | None = Field(None, description="Of a blob: its SHA-256.", json_schema_extra=_never_null)
    length: int | None = Field(None, description="Of a blob: its length in bytes.", json_schema_extra=_never_null)


class NewListing(RequestModel):
    """A listing to publish: one confirmed piece of content. What does not apply is left out, never null."""

    content: str = Field(description="What it is: `image`, `video`, …", examples=["image"])
    signals: list[NewSignal] = Field(description="Its hashes, 1 to 128.")
    labels: list[str] = Field([], description="Labels, at most 64.", examples=[["behaviour:glorification"]])
    confirmed: str | None = Field(
        None, description="Who or what confirmed it.", examples=["human"], json_schema_extra=_never_null
    )
    handling: str = Field("members", description="`members`, `this-log` or `no-reshare`.")
    origin: str = Field("own", description="Whose material it is; another's takes `allow_foreign_origin`.")
    incident: str | None = Field(
        None, description="The id of the incident that it belongs to.", json_schema_extra=_never_null
    )
    expires: str | None = Field(
        None, description="When it stops acting, as `YYYY-MM-DDThh:mm:ssZ`.", json_schema_extra=_never_null
    )
    review_by: str | None = Field(
        None, description="When it is to be looked at again, likewise.", json_schema_extra=_never_null
    )
    note: str | None = Field(None, description="Words for people; no personal data.", json_schema_extra=_never_null)
    preserve: bool = Field(False, description="Whether the content is to be preserved as evidence.")  # noqa: FBT003
    audiences: list[str] = Field([], description="Whom it is for, if not for all members; `everybody` are all.")


class NewAudiences(RequestModel):
    """Whom a listing is for from now on."""

    audiences: list[str] = Field(
        description="Audiences by name, at least one; `everybody` are all members.", examples=[["eu-desk"]]
    )
    reason: str = Field("no-longer-shared", description="What those are told for whom it is no more: a word.")
    note: str | None = Field(None, description="Words for them.", examples=[None])


class Withdraw(RequestModel):
    """Why a listing is taken back."""

    reason: str = Field(description="A word: `error`, `appeal`, `expired`, …", examples=["error"])
    note: str | None = Field(None, description="Words for people.", examples=["satire, not propaganda"])


class ProposeIncident(RequestModel):
    """An incident to propose."""

    title: str = Field(description="What it is called; all members read it.", examples=["A drill"], max_length=1_000)
    type: str | None = Field(None, description="Its type.", examples=["perpetrator-content"], max_length=128)
    note: str | None = Field(None, description="Words for people at other members.", max_length=1_000)


class SayIncident(RequestModel):
    """What this member says of an incident; what is left out stays as it said before, or as most members say."""

    act: Literal["activate", "join", "update", "conclude"] = Field(
        description="`activate`: it is active. `join`: the same, where it is active here already. `update`: as before, "
        "with other words. `conclude`: it is over for this member.",
        examples=["activate"],
    )
    title: str | None = Field(None, description="What it is called.", max_length=1_000)
    type: str | None = Field(None, description="Its type.", max_length=128)
    note: str | None = Field(None, description="Words for people at other members.", max_length=1_000)


class RejectDraft(RequestModel):
    """Why a draft is rejected."""

    reason: str = Field(
        description="Words for whoever proposed it.", examples=["not our own material"], min_length=1, max_length=1_000
    )


class Query(RequestModel):
    """A signal to look up."""

    type: str = Field(description="The signal type.", examples=["pdq"])
    value: str = Field(description="The value, in full and in lower case.", examples=[PDQ])


class MatchRequest(RequestModel):
    """A batch of lookups, answered from one snapshot."""

    signals: list[Query] = Field(description="1 to 1 000 signals.")
    detail: bool = Field(True, description="Whether hits say labels and single claims; without, it is faster.")  # noqa: FBT003
    surface: str | None = Field(
        None, description="Where all of them were met: `upload`, `livestream` or `link`.", examples=["upload"]
    )


class SuspendPeer(RequestModel):
    """Why a peer is suspended."""

    reason: str | None = Field(
        None, description="Words for people here.", max_length=256, examples=["its release key was stolen"]
    )


class NewPeer(RequestModel):
    """A peer to follow, pinned by its root, its fingerprint, or both, which came by another channel than its URL."""

    member: str = Field(description="The peer's id.", examples=["beta"])
    url: str = Field(description="Its URL.", examples=["https://beta.example"])
    fingerprint: str | None = Field(
        None,
        description="`N:sha256:HEX`, as `hashpact keys status` prints it there.",
        examples=["1:sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    )
    root: str | None = Field(None, description="The text of its root file, `N.root.json`.")
