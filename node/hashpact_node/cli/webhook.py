"""``hashpact webhook …``: who in this company is told of changes of the blocklist."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hashpact_node.cli.common import DEFAULT_HOME, AsJson, ExitCode, Home, opened
from hashpact_node.cli.output import note, say, say_json, warn
from hashpact_node.cli.program import Commands, examples
from hashpact_protocol.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hashpact_node.services.webhooks import LetterView, WebhookDetail, WebhookView

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="Who in this company is told of changes.")

Id = Annotated[str, typer.Argument(metavar="ID", help="The id of a webhook, from `hashpact webhook list`.")]


@app.command(
    epilog=examples(
        "hashpact webhook add https://cache.acme.example/hashpact",
        "hashpact webhook add https://cache.acme.example/hashpact --action block --from-now",
        "hashpact webhook add https://cache.acme.example/hashpact --since 1017 --scheme v1a --json",
    )
)
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where changes are sent to, by POST.")],
    *,
    name: Annotated[str, typer.Option(metavar="NAME", help="What it is, for people.")] = "",
    action: Annotated[
        str | None, typer.Option(metavar="ACTION", help="Only signals that have, or had, this action.")
    ] = None,
    since: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="Begin behind this cursor of the change feed; else at the first change."),
    ] = None,
    from_now: Annotated[bool, typer.Option("--from-now", help="Begin with what changes from now on.")] = False,
    batch: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="How many changes one request tells of at most; 100.")
    ] = None,
    scheme: Annotated[
        str, typer.Option(metavar="SCHEME", help="v1: signed with a shared secret; v1a: with an Ed25519 key.")
    ] = "v1",
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Add an endpoint, and show what its receiver verifies with: a secret this once, for it is shown never again.

    It is told of everything that is listed, then of every change, in order. A running node begins within a second.
    """
    from hashpact_node.cli.recording import about, actor
    from hashpact_node.services.webhooks import BATCH, WebhookPlan

    if from_now and since is not None:
        raise RequestError("it begins now or behind a change, not both", where="--since")
    plan = WebhookPlan(
        url,
        name=name,
        action=action,
        scheme=scheme_of(scheme),
        batch=BATCH if batch is None else batch,
        since=None if from_now else since or 0,
    )
    with opened(home) as node:
        made = node.webhooks.add(plan, by=actor())
        about(webhook=made.view.id)
    if as_json:
        say_json({**shape(made.view), "key": made.key})
        return
    say(made.key)
    if made.secret:
        note("This is the secret with which the receiver verifies. It is shown once: keep it secret.")
    else:
        note("This is the public key with which the receiver verifies. It is no secret.")
    note(f"`hashpact webhook test {made.view.id}` sends a message to try it.")


@app.command("list", epilog=examples("hashpact webhook list", "hashpact webhook list --json"))
def list_(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """List all endpoints, and how far each is."""
    from hashpact_node import clock
    from hashpact_node.cli.tables import NOTHING, ago, figure, show_table

    with opened(home) as node:
        webhooks = node.webhooks.list()
    if as_json:
        say_json({"webhooks": [shape(one) for one in webhooks]})
        return
    if not webhooks:
        say("no webhooks: `hashpact webhook add URL` adds one")
        return
    now = clock.now()
    rows = [
        (
            one.id,
            one.url + (f"\n{one.name}" if one.name else ""),
            one.action or "all",
            one.state,
            figure(one.behind),
            NOTHING if one.last_good_at is None else ago(one.last_good_at, now),
            one.last_error,
        )
        for one in webhooks
    ]
    columns = ("id", "url", "actions", "state", "behind", "last good", "last error")
    show_table(columns, rows, right=("behind",), keep=("id",))


@app.command(epilog=examples("hashpact webhook show 5f2c9a01de", "hashpact webhook show 5f2c9a01de --json"))
def show(identifier: Id, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show an endpoint, and the batches that it did not take; never its secret."""
    with opened(home) as node:
        detail = node.webhooks.show(identifier)
    _tell(detail, as_json=as_json)


@app.command("test", epilog=examples("hashpact webhook test 5f2c9a01de", "hashpact webhook test 5f2c9a01de --json"))
def try_(identifier: Id, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Send an endpoint a signed message that tells of no change, and say how it was answered; ends with 1 if not well.

    Nothing else changes: a disabled endpoint stays disabled until it is replayed.
    """
    with opened(home) as node:
        tried = node.webhook_delivery.test(identifier)
    if as_json:
        say_json({"ok": tried.error is None, "status": tried.status, "error": tried.error})
    elif tried.error is None:
        say(f"ok: answered with the status {tried.status}")
    else:
        warn(tried.error, "see what the receiver says, its URL, its certificate, and whether it has the right key")
    if tried.error is not None:
        raise typer.Exit(ExitCode.FAILED)


@app.command(
    epilog=examples(
        "hashpact webhook replay 5f2c9a01de",
        "hashpact webhook replay 5f2c9a01de --skip",
        "hashpact webhook replay 5f2c9a01de --since 0",
    )
)
def replay(
    identifier: Id,
    *,
    skip: Annotated[bool, typer.Option("--skip", help="Go on behind the batch that failed, without it.")] = False,
    since: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="Go on behind this change instead, even if it was sent before.")
    ] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Send what failed again, now, and go on; a disabled endpoint is active afterwards.

    With `--since`, the feed is told anew from there as it stands now, in order; 0 is the whole of it.
    """
    with opened(home) as node:
        detail = node.webhooks.replay(identifier, since=since, skip=skip)
    _tell(detail, as_json=as_json)


@app.command(epilog=examples("hashpact webhook remove 5f2c9a01de", "hashpact webhook remove 5f2c9a01de --json"))
def remove(identifier: Id, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Forget an endpoint, its secret, and what it did not take."""
    with opened(home) as node:
        view = node.webhooks.remove(identifier)
    if as_json:
        say_json(shape(view))
    else:
        say(f"removed: {view.id} ({view.url}); it had all changes up to {view.cursor}")


def shape(view: WebhookView) -> dict[str, Any]:
    """Give an endpoint as programs read it; never its secret."""
    return _with_moments(view, ("created_at", "last_try_at", "last_good_at", "next_try_at"))


def scheme_of(text: str) -> Any:
    """Read how batches are signed; RequestError."""
    from hashpact_node.services.webhook_secrets import Scheme

    try:
        return Scheme(text)
    except ValueError:
        known = ", ".join(scheme.value for scheme in Scheme)
        raise RequestError(f"there is no scheme {text[:100]!r}", where="scheme", mend=f"they are: {known}") from None


def _tell(detail: WebhookDetail, *, as_json: bool) -> None:
    from hashpact_node import clock
    from hashpact_node.cli.tables import ago, count, figure, moment, show_fields, show_table

    view = detail.webhook
    if as_json:
        say_json({"webhook": shape(view), "letters": [_letter_shape(one) for one in detail.letters]})
        return
    now = clock.now()
    fields: Mapping[str, object] = {
        "id": view.id,
        "name": view.name or None,
        "url": view.url,
        "actions": view.action or "all",
        "scheme": view.scheme,
        "public key": view.public_key,
        "state": view.state,
        "cursor": f"{view.cursor} ({figure(view.behind)} behind the newest change)",
        "batches": f"of {count(view.batch, 'change')} at most",
        "added": f"{moment(view.created_at)} by {view.created_by}",
        "last good": None if view.last_good_at is None else ago(view.last_good_at, now),
        "last try": None if view.last_try_at is None else ago(view.last_try_at, now),
        "next try": None if view.next_try_at is None else ago(view.next_try_at, now),
        "last error": view.last_error,
    }
    show_fields(fields.items())
    if detail.letters:
        rows = [
            (
                one.id,
                f"{one.since} to {one.cursor}",
                one.tries,
                "on its way" if one.dead_at is None else f"given up {ago(one.dead_at, now)}",
                one.error,
            )
            for one in detail.letters
        ]
        say()
        show_table(("batch", "changes", "tries", "state", "error"), rows, right=("tries",), keep=("batch",))


def _letter_shape(view: LetterView) -> dict[str, Any]:
    return _with_moments(view, ("made_at", "next_try_at", "dead_at"))


def _with_moments(view: Any, names: tuple[str, ...]) -> dict[str, Any]:
    from hashpact_node.cli.output import plain
    from hashpact_node.cli.tables import moment

    return {**plain(view), **{name: moment(getattr(view, name)) for name in names}}
