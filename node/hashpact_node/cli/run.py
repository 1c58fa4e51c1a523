"""``hashpact run``: one node for real use on this machine; the first start sets it up."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import os
import secrets
import sys
from typing import TYPE_CHECKING, Final

from hashpact_node.cli.common import DEFAULT_HOME, Home
from hashpact_node.cli.output import note, warn

if TYPE_CHECKING:
    from hashpact_node.settings import Settings

MEMBER: Final = "trial"
PASSPHRASE_BYTES: Final = 24


def run(home: Home = DEFAULT_HOME) -> None:
    """Start a node; set it up first if there is none.

    The first start makes a member `trial` at http://127.0.0.1:8470, unless HASHPACT_MEMBER and HASHPACT_URL say
    otherwise, and says what it made. Without a passphrase and without a terminal to ask on, it makes one up, into a
    file of the home that only its owner can read.
    """
    from hashpact_node.assembly import open_settings
    from hashpact_node.cli.serve import run_node
    from hashpact_node.settings import NODE_TOML, load_settings

    if not (home / NODE_TOML).exists():
        _set_up(load_settings(os.environ, home))
    run_node(open_settings(home))


def _set_up(settings: Settings) -> None:
    from hashpact_node.cli.init import make, tell, warn_of_trial
    from hashpact_node.cli.passphrase import PassphraseSource, make_passphrase_file
    from hashpact_node.services.setup import Founding

    source = PassphraseSource(settings, new=True)
    made_file = None
    if not source.is_known and not sys.stdin.isatty():
        made_file = make_passphrase_file(settings.home, secrets.token_urlsafe(PASSPHRASE_BYTES))
    member = settings.member or MEMBER
    url = settings.url or f"http://127.0.0.1:{settings.port}"
    note(f"There is no node in {settings.home} yet: making one.")
    try:
        made = make(settings, Founding(member, url, settings.name or member), source)
    except BaseException:
        if made_file is not None:
            made_file.unlink()
        raise
    tell(made, secret=sys.stdout.isatty())  # what is no terminal is often kept, as a journal
    if made_file is not None:
        warn(
            f"NO PASSPHRASE WAS GIVEN: a random one lies beside the keys, in {made_file}",
            "before real use, keep it elsewhere and name the file with HASHPACT_PASSPHRASE_FILE",
        )
    warn_of_trial()
