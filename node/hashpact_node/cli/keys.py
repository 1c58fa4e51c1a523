"""``hashpact keys …``: what signs in this member's name."""

from __future__ import annotations

import typer

from hashpact_node.cli.keys_ceremony import app as ceremony
from hashpact_node.cli.keys_health import check, status
from hashpact_node.cli.keys_make import generate, public
from hashpact_node.cli.keys_recover import recover
from hashpact_node.cli.keys_rotation import REVOKE_EXAMPLES, ROTATE_EXAMPLES, revoke, rotate
from hashpact_node.cli.keys_take_out import take_out
from hashpact_node.cli.program import Commands, examples

app = typer.Typer(cls=Commands, rich_markup_mode=None, help="What signs in this member's name.")
app.add_typer(ceremony, name="ceremony")


@app.callback()
def keys() -> None:
    """What signs in this member's name."""


app.command(epilog=examples("hashpact keys status", "hashpact keys status --json"))(status)
app.command(epilog=examples("hashpact keys check", "hashpact keys check --json"))(check)
app.command(epilog=examples(*ROTATE_EXAMPLES))(rotate)
app.command(epilog=examples(*REVOKE_EXAMPLES))(revoke)
app.command(
    epilog=examples(
        "hashpact keys generate file:root.key --public root.pem",
        "hashpact keys generate 'pkcs11:token=hsm;object=root?module-name=softhsm2' --type p256",
    )
)(generate)
app.command(epilog=examples("hashpact keys public file:root.key --out root.pem"))(public)
app.command(
    epilog=examples(
        "hashpact keys recover listings --since 2026-11-24T04:00:00Z --list beyond.ndjson",
        "hashpact keys recover listings --since 2026-11-24T04:00:00Z --reaffirm beyond.ndjson",
    )
)(recover)
app.command("take-out", epilog=examples("hashpact keys take-out --to /media/safe", "hashpact keys take-out --destroy"))(
    take_out
)
