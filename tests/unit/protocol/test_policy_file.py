from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it brings no type information
import pytest

from hashpact_protocol.errors import ConfigurationError
from hashpact_protocol.incidents import IncidentRules
from hashpact_protocol.judging import RESERVED_RULES
from hashpact_protocol.policy import Action
from hashpact_protocol.policy_checks import unknown_labels, warnings
from hashpact_protocol.policy_file import FILE_MAX_CHARACTERS, policy_schema, read_policy
from hashpact_protocol.policy_form import (
    DEFAULT_POLICY,
    MATCH_FLOOD,
    Conditions,
    Disputed,
    Flood,
    FloodTerms,
    FrozenMap,
    Overdue,
    PeerTerms,
    Policy,
    Rule,
    Scope,
    Weight,
)
from hashpact_protocol.recommendations import Recommendation
from hashpact_protocol.taxonomy import taxonomy

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLES = sorted((DOCS / "policies").glob("*.toml"))

FULL = """
version = 1
otherwise = "observe"
distance = { pdq = 20, tlsh = 10 }
disputed = { members = 3, at_most = "observe" }
overdue = { at_most = "review" }
flood.notify = false
flood.listings = { times = 3, at_least = 50, days = 7, at_most = "observe" }
flood.matches = { hold = false }
incidents = { members = 3, counting = ["acme"], directory = true, undo_delay = false }

[other_peers]
shadow = true

[peers.acme]
trust = "review"
distance = { pdq = 5 }
[peers.acme.scope]
content = ["image"]
types = ["pdq"]
labels = ["producer:*"]
logs = ["crisis"]

[[rule]]
name = "one"
then = "block"
rollout = 12.5
[rule.when]
types = ["pdq"]
distance_at_most = 9
distance_over = 1
members = 2
publishers = ["acme", "beta"]
own = false
content = ["image"]
labels = ["behaviour:*"]
without_labels = ["producer:journalist"]
confirmed = ["human"]
origin = ["own"]
logs = ["listings"]
incident = true
incident_types = ["manifesto"]
agree = 1
disagree = 2
reasons = ["satire"]
older_than_days = 1
newer_than_days = 9
overdue = false

[[rule]]
name = "two"
then = "ignore"

[[recommendations]]
text = "no live streaming for 30 days"
surfaces = ["livestream"]
actions = ["block", "review"]
labels = ["behaviour:*"]
"""


def words(*texts: str) -> frozenset[str]:
    return frozenset(texts)


def test_an_empty_file_is_the_default_policy() -> None:
    assert read_policy("") == DEFAULT_POLICY
    assert read_policy("version = 1\nrule = []\n") == DEFAULT_POLICY


def test_every_field_is_read_into_its_place() -> None:
    when = Conditions(
        types=words("pdq"),
        distance_at_most=9,
        distance_over=1,
        members=2,
        publishers=words("acme", "beta"),
        own=False,
        content=words("image"),
        labels=words("behaviour:*"),
        without_labels=words("producer:journalist"),
        confirmed=words("human"),
        origin=words("own"),
        logs=words("listings"),
        incident=True,
        incident_types=words("manifesto"),
        agree=1,
        disagree=2,
        reasons=words("satire"),
        older_than_days=1,
        newer_than_days=9,
        overdue=False,
    )
    scope = Scope(words("image"), words("pdq"), words("producer:*"), words("crisis"))
    assert read_policy(FULL) == Policy(
        rules=(Rule("one", Action.BLOCK, when, 1_250), Rule("two", Action.IGNORE)),
        otherwise=Action.OBSERVE,
        distance=FrozenMap({"pdq": 20, "tlsh": 10}),
        peers=FrozenMap({"acme": PeerTerms(Weight.REVIEW, scope=scope, distance=FrozenMap({"pdq": 5}))}),
        others=PeerTerms(shadow=True),
        disputed=Disputed(3, Weight.OBSERVE),
        overdue=Overdue(Weight.REVIEW),
        flood=Flood(
            notify=False,
            listings=FloodTerms(times=3, at_least=50, days=7, at_most=Weight.OBSERVE),
            matches=replace(MATCH_FLOOD, hold=False),
        ),
        incidents=IncidentRules(3, words("acme"), directory=True, undo_delay=False),
        recommendations=(
            Recommendation(
                "no live streaming for 30 days", words("livestream"), words("block", "review"), ("behaviour:*",)
            ),
        ),
    )


@pytest.mark.parametrize(
    ("text", "where", "what", "mend"),
    [
        ("otherwise = 'blok'", "line 1, otherwise", "'blok' is not among the words", "did you mean block?"),
        ("otherwise = 3", "line 1, otherwise", "3 is not among", "block, review, observe, ignore"),
        ("\nrules = []", "line 2, rules", "there is no field 'rules' here", "did you mean rule?"),
        ("incidents = { members = 0 }", "line 1, incidents.members", "0 is no whole number of 1", "without quotes"),
        ("version = 2", "line 1, version", "2 is no whole number of 1 to 1", "without quotes"),
        ("version = true", "line 1, version", "true is no whole number", "without quotes"),
        ("rule = 3", "line 1, rule", "no list of up to 1000 tables", "[[ ]]"),
        ("peers = 3", "line 1, peers", "3 is no table", "[peers.MEMBER]"),
        ("[peers.Acme]", "line 1, peers.Acme", "'Acme' is no member id", "peer list"),
        ("[peers]\nacme = 1", "line 2, peers.acme", "1 is no table", "trust, shadow, scope, distance"),
        ("[peers.acme]\nshadow = 'yes'", "line 2, peers.acme.shadow", "'yes' is neither true nor false", "quotes"),
        ("[distance]\npdq = 32", "line 2, distance.pdq", "32 is no whole number of 0 to 31", "number"),
        ("[distance]\nmd5 = 1", "line 2, distance.md5", "there is no field 'md5' here", "pdq, tlsh, vpdq"),
        ("recommendations = 3", "line 1, recommendations", "is no array of tables", "[[recommendations]]"),
        (
            "[[recommendations]]\ntext = 'a'\n[[recommendations]]\ntext = 'b'\nlabels = ['a*b']",
            "line 5, recommendations.1.labels",
            "with no * but at their end",
            "docs/policy.md",
        ),
        ("[[rule]]\nthen = 'block'", "line 1, rule 1", "the field 'name' is missing", "docs/policy.md"),
        ("[[rule]]\nname = 'a'", "line 1, rule 1", "the field 'then' is missing", "docs/policy.md"),
        ("[[rule]]\nname = 'A'\nthen = 'block'", "line 2, rule 1: name", "'A' is no name of a rule", "a-z"),
        ("[[rule]]\nname = 1\nthen = 'block'", "line 2, rule 1: name", "1 is no name of a rule", "a-z"),
        (
            "[[rule]]\nname = 'disputed'\nthen = 'block'",
            "line 2, rule 1: name",
            "the node itself calls",
            "another name",
        ),
        (
            "[[rule]]\nname = 'a'\nthen = 'block'\n[[rule]]\nname = 'a'\nthen = 'block'",
            "line 5, rule 2: name",
            "there is a rule 'a' above",
            "of its own",
        ),
        (
            "[[rule]]\nname = 'a'\nthen = 'block'\n[[rule]]\nname = 'b'\nthen = 'review'",
            "line 4, rule 2",
            "same conditions",
            "take one of them out",
        ),
        (
            "[[rule]]\nname = 'a'\nthen = 'block'\nwhen = { label = ['x'] }",
            "line 4, rule 1: when.label",
            "there is no field 'label' here",
            "did you mean labels?",
        ),
        ("[[rule]]\nname = 'a'\nthen = 'block'\nrollout = 101", "rule 1: rollout", "101 is no percentage", "0 to 100"),
        ("[[rule]]\nname = 'a'\nthen = 'block'\nrollout = 0.001", "rule 1: rollout", "no percentage", "two decimals"),
        ("[[rule]]\nname = 'a'\nthen = 'block'\nrollout = nan", "rule 1: rollout", "nan is no percentage", "0 to 100"),
        ("[[rule]]\nname = 'a'\nthen = 'block'\nrollout = true", "rule 1: rollout", "true is no perc", "0 to 100"),
    ],
)
def test_what_is_wrong_is_told_with_line_field_and_mend(text: str, where: str, what: str, mend: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_policy(text, where="here.toml")
    assert caught.value.where is not None
    assert caught.value.where.startswith("here.toml, line ")
    assert where in caught.value.where
    assert what in caught.value.what
    assert mend in (caught.value.mend or "")


@pytest.mark.parametrize(
    ("when", "what"),
    [
        ("labels = []", "no list of 1 to 1000 words"),
        ("labels = 'x'", "no list of 1 to 1000 words"),
        ("labels = [1]", "1 is no string"),
        ("labels = ['']", "is not 1 to 128 characters long"),
        (f"content = ['{'x' * 200}']", "x… is not 1 to 128 characters long"),
        ("labels = ['a*b']", "has a * that is not its last character"),
        ("publishers = ['-acme']", "'-acme' is no member id"),
        ("logs = ['opinions']", "'opinions' is none of listings, crisis"),
    ],
)
def test_lists_of_words_are_checked_word_by_word(when: str, what: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_policy(f"[[rule]]\nname = 'a'\nthen = 'block'\n[rule.when]\n{when}\n")
    assert caught.value.where is not None
    assert caught.value.where.startswith("policy.toml, line 5, rule 1: when.")
    assert what in caught.value.what


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("version = ", "this is no TOML"),
        ("version = " + "9" * 5_000, "this is no TOML"),
        ("a = " + "[" * 100_000, "nested too deeply"),
        ("#" * (FILE_MAX_CHARACTERS + 1), "longer than"),
    ],
)
def test_what_is_no_file_of_this_form_is_refused(text: str, what: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_policy(text)
    assert caught.value.where == "policy.toml"
    assert what in caught.value.what


def test_a_number_of_thousands_of_digits_is_refused_in_words() -> None:
    with pytest.raises(ConfigurationError, match="a number of that size"):
        read_policy("version = 0x" + "f" * 5_000)


def test_the_published_schema_is_that_of_the_parser() -> None:
    published = json.loads((DOCS / "policy.schema.json").read_text())
    assert published == policy_schema()
    jsonschema.Draft202012Validator.check_schema(published)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_hold_by_parser_and_schema_and_are_sensible(path: Path) -> None:
    text = path.read_text()
    policy = read_policy(text)
    jsonschema.validate(tomllib.loads(text), policy_schema())
    assert warnings(policy) == []
    assert unknown_labels(policy, taxonomy().labels) == []


def test_there_are_three_examples() -> None:
    assert [path.stem for path in EXAMPLES] == ["careful-small", "large", "observer"]


def test_the_schema_knows_every_field_and_refuses_what_the_parser_refuses() -> None:
    schema = policy_schema()
    jsonschema.validate(tomllib.loads(FULL), schema)
    for text in ("rules = []", "[peers.Acme]", "[[rule]]\nname = 'a'", "otherwise = 'blok'", "[distance]\npdq = 32"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(tomllib.loads(text), schema)


def test_no_rule_may_take_a_name_that_the_node_uses_itself() -> None:
    for name in sorted(RESERVED_RULES):
        with pytest.raises(ConfigurationError):
            read_policy(f"[[rule]]\nname = '{name}'\nthen = 'block'\n")
