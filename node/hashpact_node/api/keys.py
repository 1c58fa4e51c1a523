"""The keys of this member, by HTTP: what they are and what is wrong with them, never a secret."""

from __future__ import annotations

from fastapi import APIRouter, Request

from hashpact_node.api.deps import get_node
from hashpact_node.api.models_keys import Keys
from hashpact_node.api.problems import PROBLEM_RESPONSES
from hashpact_node.services.key_views import key_table

router = APIRouter(prefix="/v1", tags=["status"], responses=PROBLEM_RESPONSES)


@router.get("/keys", operation_id="keys", summary="The keys of this member, and who must act by when")
def keys(request: Request) -> Keys:
    """Show each row and key: where it lives, its public half, its age, when it ends, and all that is wrong.

    Nothing is opened for it: no passphrase is needed, and no device or cloud is asked.
    """
    node = get_node(request)
    return Keys.model_validate(key_table(node.key_watch.look()))
