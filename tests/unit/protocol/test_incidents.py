from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.incidents import Incident, IncidentRules, Status, Step, Turn, judge, newest, turns
from merging import TIME, uuid_of

ONE, TWO = uuid_of(1), uuid_of(2)
ACTIVE, PROPOSED, CONCLUDED = Status.ACTIVE, Status.PROPOSED, Status.CONCLUDED
MEMBERS = ("acme", "beta", "gamma", "delta")


def step(member: str, status: Status, place: int = 0, *, incident: str = ONE, **fields: object) -> Step:
    return Step(member, place, incident, status, TIME, **fields)  # type: ignore[arg-type]  # fields of Step


def status_of(*steps: Step, rules: IncidentRules | None = None) -> Status:
    return judge(steps, rules or IncidentRules())[ONE].status


def test_a_proposal_alone_is_a_proposal_however_many_make_it() -> None:
    proposed = [step(member, PROPOSED) for member in MEMBERS]
    assert judge(proposed) == {ONE: Incident(ONE, PROPOSED, None, None, (), tuple(sorted(MEMBERS)), (), short=2)}


def test_one_who_says_active_is_not_enough_and_two_are() -> None:
    assert judge([step("acme", ACTIVE)])[ONE].short == 1
    assert status_of(step("acme", ACTIVE), step("beta", PROPOSED)) is PROPOSED
    both = judge([step("acme", ACTIVE), step("beta", ACTIVE)])[ONE]
    assert (both.status, both.active, both.short) == (ACTIVE, ("acme", "beta"), 0)


def test_where_one_is_enough_one_is() -> None:
    assert status_of(step("acme", ACTIVE), rules=IncidentRules(members=1)) is ACTIVE


def test_who_says_it_twice_counts_once() -> None:
    assert status_of(step("acme", ACTIVE, 0), step("acme", ACTIVE, 1)) is PROPOSED


def test_a_member_speaks_for_nobody_else() -> None:
    """Three members are needed, and what one says of an incident that another proposed is its own word alone."""
    steps = [step("acme", PROPOSED), step("beta", ACTIVE, 0), step("beta", ACTIVE, 1), step("beta", ACTIVE, 2)]
    found = judge(steps, IncidentRules(members=3))[ONE]
    assert (found.status, found.active, found.proposed) == (PROPOSED, ("beta",), ("acme",))


def test_incidents_do_not_mix() -> None:
    found = judge([step("acme", ACTIVE), step("beta", ACTIVE, incident=TWO)])
    assert [one.status for one in found.values()] == [PROPOSED, PROPOSED]
    assert list(found) == [ONE, TWO]


def test_it_ends_when_fewer_than_needed_hold_on_to_it() -> None:
    begun = [step("acme", ACTIVE), step("beta", ACTIVE)]
    assert status_of(*begun, step("acme", CONCLUDED, 1)) is CONCLUDED
    assert status_of(*begun, step("gamma", ACTIVE), step("acme", CONCLUDED, 1)) is ACTIVE


def test_a_proposal_that_another_calls_concluded_is_a_proposal() -> None:
    assert status_of(step("acme", PROPOSED), step("beta", CONCLUDED)) is PROPOSED
    assert status_of(step("acme", CONCLUDED)) is CONCLUDED


def test_concluded_and_activated_again_it_is_active() -> None:
    begun = [step("acme", ACTIVE), step("beta", ACTIVE), step("acme", CONCLUDED, 1)]
    assert status_of(*begun, step("acme", ACTIVE, 2)) is ACTIVE


def test_what_comes_late_is_older_whatever_its_order_of_arrival() -> None:
    late = [step("acme", CONCLUDED, 5), step("acme", ACTIVE, 4), step("beta", ACTIVE)]
    assert status_of(*late) is CONCLUDED
    assert newest(late)[ONE, "acme"].place == 5


def test_only_those_count_whom_the_rules_name() -> None:
    rules = IncidentRules(members=2, counting=frozenset({"acme", "beta"}))
    assert status_of(step("acme", ACTIVE), step("gamma", ACTIVE), rules=rules) is PROPOSED
    assert judge([step("acme", ACTIVE), step("gamma", ACTIVE)], rules)[ONE].active == ("acme", "gamma")
    assert status_of(step("acme", ACTIVE), step("beta", ACTIVE), rules=rules) is ACTIVE
    # Who does not count does not make it look as if it had been active, either.
    assert status_of(step("acme", ACTIVE), step("gamma", CONCLUDED), rules=rules) is PROPOSED


def test_the_directory_makes_it_active_where_its_word_counts() -> None:
    steps = [step("acme", PROPOSED)]
    assert judge(steps, IncidentRules(), directory={ONE})[ONE].status is PROPOSED
    found = judge(steps, IncidentRules(directory=True), directory={ONE})[ONE]
    assert (found.status, found.by_directory, found.short) == (ACTIVE, True, 0)
    assert judge(steps, IncidentRules(directory=True), directory={TWO})[ONE].status is PROPOSED
    assert judge([], IncidentRules(directory=True), directory={TWO}) == {}


def test_it_is_called_what_most_of_those_call_it_who_hold_it_active() -> None:
    steps = [
        step("acme", PROPOSED, title="Another"),
        step("beta", ACTIVE, title="B", type="drill"),
        step("gamma", ACTIVE, title="A", type="drill"),
        step("delta", ACTIVE, title="B"),
    ]
    found = judge(steps)[ONE]
    assert (found.title, found.type) == ("B", "drill")
    assert judge(steps[:3])[ONE].title == "A"
    assert judge(steps[:1])[ONE].title == "Another"
    assert judge([step("acme", CONCLUDED)])[ONE].title is None


def test_who_does_not_count_names_nothing_where_somebody_does() -> None:
    steps = [step("beta", ACTIVE), step("omega", ACTIVE, title="Another", type="exercise")]
    counting = IncidentRules(members=1, counting=frozenset({"beta"}))
    assert (judge(steps, counting)[ONE].title, judge(steps, counting)[ONE].type) == (None, None)
    assert judge(steps[1:], counting)[ONE].type == "exercise"


def test_turns_go_by_when_steps_were_merged_here() -> None:
    steps = [
        step("beta", ACTIVE, 0, seen=30),
        step("acme", PROPOSED, 0, seen=10),
        step("acme", ACTIVE, 1, seen=20),
        step("acme", CONCLUDED, 2, seen=40),
    ]
    assert turns(steps) == [Turn(10, PROPOSED, "acme"), Turn(30, ACTIVE, "beta"), Turn(40, CONCLUDED, "acme")]


def test_a_step_of_which_nobody_knows_when_it_came_makes_no_turn() -> None:
    assert turns([step("acme", ACTIVE), step("beta", ACTIVE, seen=30)]) == [Turn(30, ACTIVE, "beta")]
    assert turns([step("acme", ACTIVE), step("beta", ACTIVE)]) == []


STEPS = st.lists(
    st.builds(
        step,
        st.sampled_from(MEMBERS),
        st.sampled_from(list(Status)),
        incident=st.sampled_from([ONE, TWO]),
        title=st.sampled_from([None, "A", "B"]),
        seen=st.sampled_from([None, 1, 2, 3]),
    ),
    max_size=24,
)
RULES = st.builds(
    IncidentRules,
    members=st.integers(1, 4),
    counting=st.none() | st.frozensets(st.sampled_from(MEMBERS)),
    directory=st.booleans(),
)


def placed(steps: list[Step]) -> list[Step]:
    """Each member's steps in the order in which they stand, as its log has them."""
    return [replace(one, place=at) for at, one in enumerate(steps)]


@given(STEPS, RULES, st.sets(st.sampled_from([ONE, TWO])), st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(
    steps: list[Step], rules: IncidentRules, directory: set[str], random: Random
) -> None:
    first = placed(steps)
    shuffled = list(first)
    random.shuffle(shuffled)
    assert judge(shuffled, rules, directory=directory) == judge(first, rules, directory=directory)
    one = [each for each in first if each.incident == ONE]
    other = [each for each in shuffled if each.incident == ONE]
    assert turns(other, rules) == turns(one, rules)


@given(STEPS, RULES)
def test_it_is_active_exactly_when_enough_of_those_who_count_say_so_last(
    steps: list[Step], rules: IncidentRules
) -> None:
    last = {(one.incident, one.member): one.status for one in steps}
    for incident, found in judge(placed(steps), rules).items():
        active = {
            member
            for (about, member), status in last.items()
            if about == incident and status is ACTIVE and (rules.counting is None or member in rules.counting)
        }
        assert (found.status is ACTIVE) == (len(active) >= rules.members)
        assert found.short == max(0, rules.members - len(active))


@pytest.mark.parametrize("doubled", range(2, 5))
def test_saying_everything_again_changes_nothing(doubled: int) -> None:
    steps = [step("acme", PROPOSED), step("beta", ACTIVE), step("gamma", ACTIVE)]
    again = [replace(one, place=at) for at in range(doubled) for one in steps]
    assert judge(again) == judge(steps)
