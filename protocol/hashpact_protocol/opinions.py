"""The reasons of a disagreement that have a meaning (docs/protocol.md, Merge).

The set is open on the wire: another word is kept as it is. What a node publishes itself uses these, so that owners and
policies can go by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

REASONS: Final[Mapping[str, str]] = {
    "not-terrorist-content": "it is no terrorist content",
    "wrong-label": "a label is wrong; the content may be rightly listed",
    "journalism": "it reports on or documents something",
    "research": "it is research, teaching or art",
    "satire": "it is satire, parody or criticism",
    "wrong-hash": "the hash is not that of the content that is meant",
    "collision": "the hash matches other content, too",
    "outdated": "it was right once, and is not any more",
    "legal": "a law or a court does not let it stand",
}
"""Each code with what it says, for people."""
