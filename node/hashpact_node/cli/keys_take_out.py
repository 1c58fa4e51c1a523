"""``hashpact keys take-out``: no root or targets key stays on the serving host."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home, opened
from hashpact_node.cli.output import note, say, say_json
from hashpact_protocol.errors import RequestError


def take_out(
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="Where the files go: a medium that leaves this host.")
    ] = None,
    destroy: Annotated[
        bool, typer.Option("--destroy", help="Destroy the files of keys that no root in force names, and move nothing.")
    ] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Take the files of root and targets keys out of the home, and prove that none is left.

    Keys are known by their public half, whatever their files are called. A file that is destroyed is overwritten once,
    which an SSD or a snapshot may survive: a key that may have been copied is replaced by a ceremony.
    """
    from hashpact_node.services.taking_out import take_out as take_out_of

    if (to is None) == (not destroy):
        raise RequestError("say where the keys go", mend="give either --to FOLDER or --destroy")
    with opened(home) as node:
        done = take_out_of(node.database, node.places, node.settings.home, to=to)
    if as_json:
        say_json(done)
        return
    for one in done.taken:
        say(f"{one.row} key {one.path}: {'destroyed' if one.to is None else f'now {one.to}'}")
    say(f"no root or targets key is left in {home}: {done.looked_at} files were looked through")
    if to is not None and done.taken:
        note("Unmount the medium, and check with `hashpact keys check`.")
