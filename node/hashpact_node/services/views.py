"""What several services need to see of the database at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from hashpact_node.services.judge import Judge, parsed_policy
from hashpact_node.services.log_trust import card_of
from hashpact_node.store.connection import Connection
from hashpact_node.store.directories import newest_directory
from hashpact_node.store.holds import held_now
from hashpact_node.store.incidents import list_steps
from hashpact_node.store.judging import policy_in_force, rule_names
from hashpact_node.store.logs import Log, list_logs
from hashpact_node.store.peers import Peer, find_own, list_peers
from hashpact_node.store.rule_numbers import BUILT_IN
from hashpact_protocol.card import Card
from hashpact_protocol.directory import parse_directory
from hashpact_protocol.errors import ConfigurationError
from hashpact_protocol.facts import IncidentFacts
from hashpact_protocol.incidents import IncidentRules, Status
from hashpact_protocol.incidents import judge as judge_incidents
from hashpact_protocol.policy_form import Policy


def own_peer(connection: Connection) -> Peer:
    """Give this member; ConfigurationError before ``init``."""
    own = find_own(connection)
    if own is None:
        raise _nobody()
    return own


def own_number(connection: Connection) -> int:
    """Give the local number of this member; ConfigurationError before ``init``."""
    return own_peer(connection).number


def viewpoint(connection: Connection, now: datetime) -> Judge:
    """Give the eyes with which this member judges claims: its policy, and what was decided and said until ``now``.

    Within a transaction that writes, lock the change counter before: then the policy is the one that holds.
    """
    text = policy_in_force(connection).text
    rules = {name: number for number, name in rule_names(connection).items()} if text is not None else BUILT_IN
    return judge_by(connection, parsed_policy(text), rules, now)


def judge_by(connection: Connection, policy: Policy, rules: Mapping[str, int], now: datetime) -> Judge:
    """Give the eyes of a policy whose rules have these numbers."""
    own, logs = own_number(connection), logs_by_number(connection)
    incidents = active_incidents(connection, policy) if policy.asks_incidents else frozenset()
    return Judge(connection, policy, now, logs, own, rules, incidents, held_now(connection))


def active_incidents(connection: Connection, policy: Policy) -> frozenset[IncidentFacts]:
    """Give the incidents that are active by a policy."""
    rules = incident_rules(connection, policy)
    directory = incidents_in_directory(connection, rules)
    found = judge_incidents(list_steps(connection), rules, directory=directory).values()
    return frozenset(IncidentFacts(one.incident, one.type) for one in found if one.status is Status.ACTIVE)


def incident_rules(connection: Connection, policy: Policy) -> IncidentRules:
    """Give what makes an incident active by a policy, among those who are followed."""
    return policy.incident_rules([peer.member for peer in list_peers(connection)], own_peer(connection).member)


def logs_by_number(connection: Connection) -> dict[int, Log]:
    """Give all logs by their local number."""
    return {log.number: log for log in list_logs(connection)}


def incidents_in_directory(connection: Connection, rules: IncidentRules) -> frozenset[str]:
    """Give the incidents that the directory calls active, as last accepted, where its word counts."""
    held = newest_directory(connection) if rules.directory else None
    return frozenset() if held is None or held.data is None else frozenset(parse_directory(held.data).incidents)


def members_of_logs(connection: Connection) -> dict[int, int]:
    """Give the members of all logs, both by their local number."""
    return {log.number: log.peer for log in list_logs(connection)}


def own_card(connection: Connection) -> Card:
    """Give this member's own card; ConfigurationError before ``init``."""
    own = own_peer(connection)
    if own.card is None:
        raise _nobody()
    return card_of(own)


def _nobody() -> ConfigurationError:
    return ConfigurationError("this database belongs to no member yet", mend="run `hashpact init` first")
