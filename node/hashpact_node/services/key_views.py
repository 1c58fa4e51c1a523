"""The state of the keys as a table of plain values, for the API and for `--json`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hashpact_node.services.key_status import KeyStatus
from hashpact_protocol.statement_fields import format_time


def key_table(found: KeyStatus) -> dict[str, Any]:
    """Give everything about the keys; times are as on the wire, public keys in lower-case hex."""
    return {
        "member": found.member,
        "url": found.url,
        "fingerprint": found.fingerprint,
        "card_version": found.card_version,
        "roles": [
            {
                "role": role.role.value,
                "version": role.version,
                "expires": format_time(role.expires),
                "threshold": role.threshold,
                "key_ids": list(role.key_ids),
            }
            for role in found.roles
        ],
        "keys": [
            {
                "row": key.row.value,
                "uri": key.uri,
                "public": None if key.public is None else key.public.hex(),
                "age_seconds": None if key.age is None else key.age // timedelta(seconds=1),
                "expires": None if key.expires is None else format_time(key.expires),
                "warnings": list(key.warnings),
            }
            for key in found.keys
        ],
        "rows": [
            {
                "row": duty.row.value,
                "threshold": duty.threshold,
                "named": duty.named,
                "expires": None if duty.expires is None else format_time(duty.expires),
                "who": duty.who,
                "what": duty.what,
                "by": None if duty.by is None else format_time(duty.by),
            }
            for duty in found.duties
        ],
        "findings": findings_table(found),
        "files_looked_at": found.looked_at,
    }


def findings_table(found: KeyStatus) -> list[dict[str, Any]]:
    """Give everything that is wrong, the gravest first."""
    return [
        {
            "code": one.code,
            "severity": one.severity.value,
            "row": None if one.row is None else one.row.value,
            "what": one.what,
            "where": one.where,
            "mend": one.mend,
        }
        for one in found.findings
    ]
