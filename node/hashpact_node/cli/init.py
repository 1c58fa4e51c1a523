"""``hashpact init``: make a home, and say what was made."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Annotated

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home
from hashpact_node.cli.output import note, say_json, waiting, warn

if TYPE_CHECKING:
    from hashpact_node.cli.passphrase import PassphraseSource
    from hashpact_node.services.setup import Founding, Made
    from hashpact_node.settings import Settings


def init(
    *,
    member: Annotated[str, typer.Option(metavar="ID", help="This member's id in the consortium, such as acme.")],
    url: Annotated[str, typer.Option(metavar="URL", help="The public URL below which peers read.")],
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="This member's name for people.")] = None,
    contact: Annotated[
        list[str] | None, typer.Option(metavar="URI", help="A way to its people, such as mailto:…; may be repeated.")
    ] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Set up a node: keys, trust repository, card, database.

    The passphrase of the key files comes from HASHPACT_PASSPHRASE, from the file that HASHPACT_PASSPHRASE_FILE names,
    or is asked for, twice. Where HASHPACT_KEYS names keys on tokens, they are made there, or used if they are there.
    What fails half way is taken back.
    """
    from hashpact_node.cli.passphrase import PassphraseSource
    from hashpact_node.services.setup import Founding
    from hashpact_node.settings import load_settings

    settings = _listen_as_said(load_settings(os.environ, home), url)
    founding = Founding(member, url, name or settings.name or member, tuple(contact or ()))
    made = make(settings, founding, PassphraseSource(settings, new=True))
    if as_json:
        say_json(made)
    else:
        tell(made)
    warn_of_trial()


def _listen_as_said(settings: Settings, url: str) -> Settings:
    """Listen on the port of a URL on loopback, where peers of the same machine expect it; unless another was set."""
    from urllib.parse import urlsplit

    from hashpact_node.settings import DEFAULT_PORT
    from hashpact_protocol.names import MemberUrl

    parsed = MemberUrl.parse(url)
    if parsed.scheme != "http" or settings.port != DEFAULT_PORT:
        return settings
    return dataclasses.replace(settings, port=urlsplit(url).port or settings.port)


def make(settings: Settings, founding: Founding, passphrase: PassphraseSource) -> Made:
    """Make a home; the passphrase is asked for before anything is made. Raises what ``make_home`` raises."""
    from hashpact_keys.keystore import KeyStore
    from hashpact_node import clock
    from hashpact_node.cli.recording import actor
    from hashpact_node.services.audit import AuditLog
    from hashpact_node.services.setup import make_home
    from hashpact_node.store.database import open_database
    from hashpact_protocol.names import MemberUrl, parse_member_id

    parse_member_id(founding.member)
    MemberUrl.parse(founding.url)
    in_files = any(uri.startswith("file:") for uris in settings.keys.values() for uri in uris)
    known = passphrase() if in_files else b""
    database = open_database(settings.database_url)
    try:
        with waiting("making keys…"):
            keystore = KeyStore(settings.home, lambda: known, pin=passphrase.pin)
            made = make_home(settings, founding, keystore, database, now=clock.now)
        AuditLog(database, clock.now).try_record(actor(), "init", founding.member, detail={"url": founding.url})
        return made
    finally:
        database.dispose()


def tell(made: Made, *, secret: bool = True) -> None:
    """Say what was made, and what comes next; the token only where ``secret`` things are wanted."""
    from hashpact_node.cli.tables import show_fields

    fields: list[tuple[str, object]] = [("url", made.url), ("home", made.home), ("database", made.database)]
    fields += [(f"{row} key", place) for row, place in made.keys.items()]
    fields += [("fingerprint", made.fingerprint), ("token", made.token if secret else None)]
    show_fields(fields, title=f"A new node for {made.member}")
    note("Give the fingerprint to your peers by another channel than the network: with it they pin this node.")
    if secret:
        note("The token opens this node's API and may do everything. It is shown once, and stored nowhere.")
    else:
        note("`hashpact token create NAME --scope SCOPE` makes a token for this node's API.")
    note("Back up the keys and the passphrase, apart from each other. `hashpact serve` starts the node.")


def warn_of_trial() -> None:
    """Say loudly that the keys of a new home are not kept as they should be."""
    warn(
        "TRIAL MODE: the root key, one of one, and the targets key lie on this host; whoever takes it, takes the name",
        "before real use, root keys offline, 2 of 3 or more, and the targets key off this host (docs/operations.md)",
    )
