"""The command line ``hashpact``: the commands, their order in the help, and where it starts."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from hashpact_node.cli import (
    alarms,
    audiences,
    audit,
    backing_up,
    blocklist,
    decide,
    demo,
    directory,
    disputes,
    doctor,
    drafts,
    erasing,
    evidence,
    explain,
    hold,
    importing,
    incidents,
    init,
    keys,
    listings,
    logs,
    match,
    opinion,
    peer,
    policy,
    proof,
    publishing,
    release,
    report,
    serve,
    status,
    taxonomy,
    token,
    tuf_client,
    webhook,
)
from hashpact_node.cli import run as run_command
from hashpact_node.cli.common import EXIT_MEANINGS
from hashpact_node.cli.program import Commands, examples

PANELS: Final = {
    "demo": "Look around",
    "run": "A node",
    "init": "A node",
    "serve": "A node",
    "status": "A node",
    "doctor": "A node",
    "publish": "This member's list",
    "import": "This member's list",
    "withdraw": "This member's list",
    "erase": "This member's list",
    "listing": "This member's list",
    "disputes": "This member's list",
    "audience": "This member's list",
    "incident": "This member's list",
    "drafts": "This member's list",
    "release": "This member's list",
    "logs": "This member's list",
    "peer": "Peers and what they list",
    "directory": "Peers and what they list",
    "blocklist": "Peers and what they list",
    "policy": "Peers and what they list",
    "taxonomy": "Peers and what they list",
    "match": "Peers and what they list",
    "explain": "Peers and what they list",
    "decide": "Peers and what they list",
    "hold": "Peers and what they list",
    "opinion": "Peers and what they list",
    "prove": "Peers and what they list",
    "verify-proof": "Peers and what they list",
    "webhook": "Peers and what they list",
    "report": "Peers and what they list",
    "token": "Care",
    "keys": "Care",
    "backup": "Care",
    "restore": "Care",
    "alarms": "Care",
    "audit": "Care",
    "evidence": "Care",
    "rebuild": "Care",
    "openapi": "Care",
    "tuf-client": "Care",
}
"""Under which heading of the help each command stands, in order."""

_ENVIRONMENT: Final = """\b
Settings: node.toml in the home, overridden by HASHPACT_… variables
(docs/operations.md). The passphrase of the key files comes from
HASHPACT_PASSPHRASE, from the file that HASHPACT_PASSPHRASE_FILE names, or
from a prompt; never from an argument."""


def _epilog() -> str:
    codes = "\n".join(f"  {code.value:>3}  {meaning}" for code, meaning in EXIT_MEANINGS.items())
    return f"{_ENVIRONMENT}\n\n\b\nExit codes:\n{codes}"


class Hashpact(Commands):
    """All commands, in the order in which somebody needs them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Give their names in that order."""
        order = list(PANELS)
        return sorted(super().list_commands(ctx), key=lambda name: order.index(name) if name in order else len(order))


app = typer.Typer(name="hashpact", cls=Hashpact, rich_markup_mode=None, epilog=_epilog())


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"hashpact {version('hashpact')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def hashpact(
    context: typer.Context,
    _debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; stands before the command.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Share hashes of confirmed terrorist content with other companies, without a hub."""
    if context.invoked_subcommand is None:
        print(context.get_help())


def _add(name: str, function: Callable[..., None], *lines: str) -> None:
    app.command(name, rich_help_panel=PANELS[name], epilog=examples(*lines))(function)


_add("demo", demo.demo, "hashpact demo", "hashpact demo --pictures ~/Pictures --keep")
_add("run", run_command.run, "hashpact run", "HASHPACT_HOME=/srv/hashpact hashpact run")
_add("init", init.init, "hashpact init --member acme --url https://acme.example --contact mailto:trust@acme.example")
_add("serve", serve.serve, "hashpact serve", "hashpact serve --port 8480 --home /srv/hashpact")
_add("status", status.status, "hashpact status", "hashpact status --json")
_add("doctor", doctor.doctor, "hashpact doctor", "hashpact doctor --json --home /srv/hashpact")
_add(
    "publish",
    publishing.publish,
    "hashpact publish picture.png --label behaviour:glorification --confirmed human",
    "hashpact publish *.jpg --json",
)
_add("import", importing.import_, "hashpact import hashes.ndjson", "hashpact import hashes.csv --keep-going")
_add("withdraw", publishing.withdraw, "hashpact withdraw 6f1c… --reason error")
_add("erase", erasing.erase, "hashpact erase 6f1c… --reason law", "hashpact erase 6f1c… --reason law --now")
_add("match", match.match, "hashpact match upload.jpg", "hashpact match --signal sha256:9f86d081… --json")
_add(
    "report",
    report.report,
    "hashpact report --from 2026-01-01 --to 2026-12-31 --out report.html",
    "hashpact report --from 2026-10-01 --to 2026-10-31 --format csv",
)
_add(
    "explain",
    explain.explain,
    "hashpact explain sha256:9f86d081…",
    "hashpact explain upload.jpg --json",
    "hashpact explain 6f1c2f0e-… --format dsa",
)
_add("prove", proof.prove, "hashpact prove 6f1c… -o listing.tlog-proof")
_add(
    "verify-proof",
    proof.verify_proof,
    "hashpact verify-proof listing.tlog-proof --entry listing.tlog-proof.entry.json --card member.json",
)
_add(
    "backup",
    backing_up.backup,
    "hashpact backup /backup/acme.hashpact --with-keys",
    "hashpact backup /backup/acme.hashpact --check",
)
_add("restore", backing_up.restore, "hashpact restore /backup/acme.hashpact --home /srv/hashpact")
_add("rebuild", status.rebuild, "hashpact rebuild")
_add("openapi", serve.openapi, "hashpact openapi > openapi.json")
for _name, _group in (
    ("listing", listings.app),
    ("disputes", disputes.app),
    ("audience", audiences.app),
    ("incident", incidents.app),
    ("drafts", drafts.app),
    ("release", release.app),
    ("logs", logs.app),
    ("peer", peer.app),
    ("directory", directory.app),
    ("blocklist", blocklist.app),
    ("webhook", webhook.app),
    ("policy", policy.app),
    ("taxonomy", taxonomy.app),
    ("decide", decide.app),
    ("hold", hold.app),
    ("opinion", opinion.app),
    ("token", token.app),
    ("keys", keys.app),
    ("alarms", alarms.app),
    ("audit", audit.app),
    ("evidence", evidence.app),
    ("tuf-client", tuf_client.app),
):
    app.add_typer(_group, name=_name, rich_help_panel=PANELS[_name])


def main() -> None:
    """Run the command line."""
    app()
