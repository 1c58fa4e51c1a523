"""The API keeps to its own description, whatever is sent (schemathesis): no 5xx, no breach of the schema.

Examples are few and the same each time; SCHEMA_EXAMPLES in the environment asks for more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from databases import opened
from hashpact_node.app import create_app
from hashpact_node.services.drafts import ListingDraft
from members import sha256
from serving import Served, open_member, serving

EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "4"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SCHEMA = schemathesis.openapi.from_dict(create_app().openapi())
OPERATIONS = {
    f"{operation.method.upper()} {operation.path}": operation
    for operation in (result.ok() for result in SCHEMA.get_all_operations() if isinstance(result, Ok))
}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A node with one listing, which all examples meet as those before left it."""
    folder: Path = tmp_path_factory.mktemp("schema")
    with opened(f"sqlite:///{folder / 'node.sqlite3'}") as database:
        node = open_member(database, folder / "home", database.where)
        try:
            node.publisher.publish([ListingDraft("image", (sha256(1),))])
            with serving(node) as served:
                yield served
        finally:
            node.close()


@pytest.mark.filterwarnings("default")  # what the libraries of this test warn about is theirs
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_the_api_keeps_to_its_description(node: Served, name: str, mode: GenerationMode) -> None:
    """What is sent has the form that is described, or breaks it somewhere."""
    operation = OPERATIONS[name]

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def keeps(case: Any) -> None:
        response = case.call(base_url=f"http://127.0.0.1:{node.port}", headers=node.authorization)
        case.validate_response(response, checks=CHECKS)

    try:
        keeps()
    except Unsatisfiable:
        if mode is GenerationMode.POSITIVE:
            raise
        pytest.skip("nothing that is sent there can be wrong")


def test_every_path_is_tried() -> None:
    assert len(OPERATIONS) > 25
