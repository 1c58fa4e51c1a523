"""``hashpact demo``: three nodes on this machine share a blocklist, and every step of it is checked."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

import shlex
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hashpact_node.cli.common import ExitCode
from hashpact_node.cli.output import note
from hashpact_protocol.errors import HashpactError

if TYPE_CHECKING:
    from hashpact_node.cli.demo_cast import Cast
    from hashpact_node.cli.demo_nodes import DemoNode
    from hashpact_node.cli.demo_stage import Stage


def demo(
    pictures: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Share the hashes of the pictures in it; at least three.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the nodes running, and say how to use them.")] = False,
) -> None:
    """Watch three nodes share a blocklist on this machine.

    They are set up in a temporary folder, each with keys, a database, a process and a port of its own on loopback, and
    do all that nodes do: publish, pull, verify, merge, match, withdraw, refuse what was altered. Every step is checked;
    the first that is not as it should be ends the demo with exit code 1. In the end the nodes are stopped and their
    folder is removed, unless --keep leaves both. Pictures are drawn here unless a folder of yours is given; nothing of
    them leaves this machine.
    """
    from hashpact_node.cli.demo_stage import Stage

    stage = Stage()
    try:
        with _signals_interrupt(), _place(stage, keep=keep) as place:
            cast = _cast(stage, place, pictures)
            for step in _steps():
                step(stage, cast)
            stage.title(f"\nAll {stage.checks} checks held, in {stage.seconds:.0f} seconds.")
    except KeyboardInterrupt:
        note("stopped: the nodes are ended, and their folder is removed")
        # Not as other commands end: nothing is kept with which one could go on.
        raise SystemExit(ExitCode.INTERRUPTED) from None
    if not keep:
        stage.say("Next: `make demo KEEP=1` leaves the nodes running for you to look around,")
        stage.say("`make demo PICTURES=folder` takes pictures of yours, `make run` starts a node for real use.")


PICTURES: Final = "pictures"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the demo is played: a folder of its own, and the nodes whose homes lie in it."""

    folder: Path
    nodes: list[DemoNode] = field(default_factory=list)


@contextmanager
def _place(stage: Stage, *, keep: bool) -> Iterator[Place]:
    """Make a folder, and in the end stop the nodes and remove it, or tell how to use them where they are kept.

    They are kept where a step fails, too, for a look at what is wrong; never where somebody stops the demo.
    """
    place = Place(Path(tempfile.mkdtemp(prefix="hashpact-demo-")))
    kept = False
    try:
        try:
            yield place
        except HashpactError:
            kept = keep and any(node.pid for node in place.nodes)
            raise
        kept = keep
    finally:
        if kept:
            _tell_kept(stage, place)
        else:
            _clear(place)


def _clear(place: Place) -> None:
    from hashpact_node.cli.demo_nodes import stop_nodes

    with _handling(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        stop_nodes(place.nodes)
        shutil.rmtree(place.folder, ignore_errors=True)


def _cast(stage: Stage, place: Place, folder: Path | None) -> Cast:
    from hashpact_node.cli.demo_cast import MEMBERS, Cast
    from hashpact_node.cli.demo_nodes import make_nodes
    from hashpact_node.cli.demo_pictures import NAMES, STRANGER, choose_pictures, draw_picture, draw_pictures
    from hashpact_node.cli.tables import count

    stage.title("Three companies, one blocklist")
    studio = place.folder / PICTURES
    studio.mkdir()
    if folder is None:
        chosen, origin = draw_pictures(studio), "drawn for it"
    else:
        chosen, left_out = choose_pictures(folder)
        origin = f"of {folder}"
        for words in left_out:
            note(f"left out, {words}")
    stage.say(f"Real nodes, each a process on this machine, and {count(len(chosen), 'picture')} {origin}.")
    place.nodes.extend(make_nodes(place.folder, MEMBERS))
    acme, beta, gamma = place.nodes
    stranger = draw_picture(studio, STRANGER, seed=len(NAMES))
    return Cast(acme, beta, gamma, pictures=chosen, stranger=stranger, folder=studio)


def _steps() -> list[Callable[[Stage, Cast], None]]:
    from hashpact_node.cli import demo_lookups, demo_steps
    from hashpact_node.cli.demo_fault import flip_a_byte

    return [
        demo_steps.set_up,
        demo_steps.meet,
        demo_steps.publish,
        demo_steps.compare_holdings,
        demo_lookups.compare_actions,
        demo_lookups.look_up,
        demo_lookups.withdraw,
        flip_a_byte,
        demo_lookups.compare_digests,
    ]


def _tell_kept(stage: Stage, place: Place) -> None:
    """Say how to use the nodes that are left, in lines that can be copied."""
    from hashpact_node.cli.demo_nodes import shown_program
    from hashpact_node.cli.tables import show_fields

    stage.title("\nThe nodes are left running. Their commands find the passphrase in the home:")
    for node in place.nodes:
        command = f"HASHPACT_HOME={shlex.quote(str(node.home))} {shown_program()} status"
        fields = (("url", node.url), ("process", node.pid), ("output", node.output), ("command", command))
        stage.say("")
        show_fields(fields, title=node.member)
    stage.title("\nTheir APIs answer, as:")
    url, pictures = place.nodes[-1].url, shlex.quote(str(place.folder / PICTURES))
    curl = " ".join(f"curl -s -H '{name}: {value}'" for name, value in place.nodes[-1].authorization.items())
    for path in ("/v1/status", "/v1/blocklist?action=block", "/v1/blocklist/changes?since=0"):
        stage.line(f"{curl} '{url}{path}'")
    stage.line(f"for picture in {pictures}/*; do {curl} --data-binary @$picture {url}/v1/match/file; echo; done")
    stage.title("\nThis ends them, and removes what they stored:")
    ids = " ".join(str(node.pid) for node in place.nodes if node.pid)
    wait = f"for one in {ids}; do while kill -0 $one 2>/dev/null; do sleep 1; done; done"
    stage.line(f"kill {ids} && {wait} && rm -r {shlex.quote(str(place.folder))}")


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does, so that nothing is left behind."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    heard = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is not signal.SIG_IGN]
    with _handling(interrupt, *heard):
        yield


@contextmanager
def _handling(handler: signal._HANDLER, *numbers: signal.Signals) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
