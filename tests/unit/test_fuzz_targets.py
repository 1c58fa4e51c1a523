"""Every fuzz target holds over its seeds and over what is near them; ``make fuzz`` goes on from there."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.target import Target
from fuzz.targets import TARGETS

SEEDS = {name: sorted(set(target.seeds()), key=lambda seed: (len(seed), seed)) for name, target in TARGETS.items()}
PUTS = st.binary(max_size=4) | st.sampled_from(
    [b"", b"0", b'"', b",", b"\n", b"\xed\xa0\x80", b"{", b"]", b"null", b"+"]
)


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_a_target_holds_over_its_seeds(target: Target) -> None:
    assert len(SEEDS[target.name]) >= 3
    for seed in SEEDS[target.name]:
        target.check(seed)


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
@settings(max_examples=40)
@given(data=st.data())
def test_a_target_holds_near_its_seeds(target: Target, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(SEEDS[target.name]))
    place, cut = data.draw(st.integers(0, len(seed))), data.draw(st.integers(0, 8))
    target.check(seed[:place] + data.draw(PUTS) + seed[place + cut :])
