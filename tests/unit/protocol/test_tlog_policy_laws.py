"""A policy of any groups within groups is met exactly when its rule, read off by recursion, says so."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.errors import SignatureError
from hashpact_protocol.notes import parse_note
from hashpact_protocol.tlog_policy import parse_policy
from vectors.signers import LOG, Signer, checkpoint_text

WITNESSES = {f"w{number}": Signer(f"member{number}.example/witness-1", 4, f"witness {number}") for number in range(5)}


@dataclass(frozen=True)
class Plan:
    """Groups by name, each with its threshold and members, and the name that is the quorum."""

    groups: dict[str, tuple[int, list[str]]]
    quorum: str

    def text(self) -> bytes:
        lines = [f"log {LOG.vkey}", *(f"witness {name} {one.vkey}" for name, one in WITNESSES.items())]
        lines += [f"group {name} {least} {' '.join(members)}" for name, (least, members) in self.groups.items()]
        return "".join(f"{line}\n" for line in (*lines, f"quorum {self.quorum}")).encode()

    def met(self, name: str, signed: set[str]) -> bool:
        if name not in self.groups:
            return name in signed or name == "none"
        least, members = self.groups[name]
        return sum(self.met(member, signed) for member in members) >= least


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    free = list(WITNESSES)
    groups: dict[str, tuple[int, list[str]]] = {}
    for number in range(draw(st.integers(0, 3))):
        members = draw(st.lists(st.sampled_from(free), min_size=1, max_size=3, unique=True)) if free else []
        if not members:
            break
        free = [name for name in free if name not in members] + [f"g{number}"]
        groups[f"g{number}"] = (draw(st.integers(1, len(members))), members)
    return Plan(groups, draw(st.sampled_from(["none", *WITNESSES, *groups])))


@given(plans(), st.sets(st.sampled_from(list(WITNESSES))))
def test_a_policy_is_met_exactly_when_its_rule_says_so(plan: Plan, signed: set[str]) -> None:
    text = checkpoint_text()
    lines = [WITNESSES[name].cosign(text) for name in sorted(signed)]
    note = parse_note(f"{text}\n{LOG.sign(text)}{''.join(lines)}".encode())
    try:
        checkpoint = parse_policy(plan.text()).check(note)
    except SignatureError:
        assert not plan.met(plan.quorum, signed)
    else:
        assert plan.met(plan.quorum, signed)
        assert (checkpoint.origin, checkpoint.size) == (LOG.name, 1)
