"""Who asks for a log, and whether it is for them: the logs of audiences are for their readers alone."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from hashpact_node.api.deps import get_node
from hashpact_node.api.problems import HttpProblem
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_protocol.card_logs import LogKind

_FOR_SOME: Final = re.compile(f"(?:{'|'.join(LogKind)})-(?![0-9]+$).*", re.DOTALL)
"""How the origins of audiences' logs end; for all others nothing has to be looked up."""


def asker_of(request: Request) -> str | None:
    """Give the member that signed a request; None where none did."""
    actor = getattr(request.state, "actor", None)
    return actor.name if isinstance(actor, Actor) and actor.kind is ActorKind.MEMBER else None


async def check_reader(request: Request, log: str) -> None:
    """Answer 401 unless a log is for whoever asks: the same where there is none that could be for some alone."""
    if _FOR_SOME.fullmatch(log) is None:
        return
    if not await run_in_threadpool(get_node(request).log_files.is_for, log, asker_of(request)):
        raise HttpProblem(
            HTTPStatus.UNAUTHORIZED,
            "there is no such log, or it is not for you",
            mend="read the card for the logs of this member; one with a suffix is for an audience alone",
            headers={"WWW-Authenticate": "Signature"},
        )
