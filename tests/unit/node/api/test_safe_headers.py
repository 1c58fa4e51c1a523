from __future__ import annotations

import pytest

from hashpact_node.api.safe_headers import SAFE_HEADERS
from serving import Served


@pytest.mark.parametrize(
    ("path", "status"),
    [("/healthz", 200), ("/trust/metadata/timestamp.json", 200), ("/nothing", 404), ("/v1/match", 405)],
)
def test_every_answer_has_them(sqlite_served: Served, path: str, status: int) -> None:
    answer = sqlite_served.get(path)
    assert answer.status_code == status
    for name, value in SAFE_HEADERS:
        assert answer.headers.get_list(name.decode()) == [value.decode()]
