from __future__ import annotations

import pytest

from hashpact_protocol.policy_fields import Path
from hashpact_protocol.policy_lines import line_of

TEXT = '''version = 1 # [rule]
peers.acme.trust = "full"

[peers."beta"]   # after which
trust = "review"
distance = { pdq = 3 }

[[rule]]
name = "one"
[rule.when]
labels = [
  "a = b",
]
note = """
name = "not a key"
[rule]
"""
[[rule]]\r
name = \'\'\'two
then = 1\'\'\'
then = "block"
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("version",), 1),
        (("peers", "acme", "trust"), 2),
        (("peers", "beta"), 4),
        (("peers", "beta", "trust"), 5),
        (("peers", "beta", "distance", "pdq"), 6),
        (("rule", 0), 8),
        (("rule", 0, "name"), 9),
        (("rule", 0, "when", "members"), 10),
        (("rule", 0, "when", "labels"), 11),
        (("rule", 1, "name"), 19),
        (("rule", 1, "then"), 21),
        (("rule", 1, "when"), 18),
        (("nowhere", 3), None),
        ((), None),
    ],
)
def test_the_line_of_a_path_or_of_the_table_around_it(path: Path, line: int | None) -> None:
    assert line_of(TEXT, path) == line
