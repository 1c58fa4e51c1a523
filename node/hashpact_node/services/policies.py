"""The policy file of the home: read when it changes, and the last good one kept while it is broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from hashpact_node.services.judge import parsed_policy
from hashpact_node.services.judging_anew import Rejudger
from hashpact_node.services.views import incident_rules
from hashpact_node.store.alarms import clear_alarm, find_alarm, raise_alarm
from hashpact_node.store.changes import Numbers
from hashpact_node.store.database import Database
from hashpact_node.store.judging import number_rules, policy_in_force, set_policy
from hashpact_protocol.errors import ConfigurationError
from hashpact_protocol.incidents import IncidentRules
from hashpact_protocol.policy_file import FILE_MAX_CHARACTERS, FILE_NAME, read_policy

POLICY_BROKEN: Final = "policy-broken"
"""The alarm for a policy file that cannot be used, so that the one before it goes on holding."""

_GONE: Final = "put it back; for the default policy write `version = 1` into it, and nothing else"


@dataclass(frozen=True, slots=True)
class Policies:
    """Keeps the policy in force in step with the file ``path``."""

    database: Database
    path: Path
    rejudger: Rejudger
    now: Callable[[], datetime]

    def look(self) -> int:
        """Take up a changed file, and judge by it what is to be judged anew; how many signals changed. StoreError."""
        try:
            self.reload()
        finally:  # dates and incidents go on, whatever a file did
            changed = self.rejudger.run()
        return changed

    def incident_rules(self) -> IncidentRules:
        """Give what makes an incident active by the policy in force. StoreError."""
        with self.database.read() as connection:
            return incident_rules(connection, parsed_policy(policy_in_force(connection).text))

    def reload(self) -> bool:
        """Let the file hold if it has changed and is right; whether another policy holds now.

        A file that cannot be used changes nothing, and raises an alarm; so does one that is gone, or is empty while an
        editor writes it. Where there never was one the default policy holds.
        """
        now = self.now()
        try:
            text = read_text(self.path)
            with self.database.read() as connection:
                held = policy_in_force(connection).text
            if held is not None:
                _require_something(text)
            same = held == text
            names = [] if same or text is None else [rule.name for rule in read_policy(text).rules]
            if not same:
                self._take_up(text, names, now)
        except ConfigurationError as error:
            what = f"{error.where}: {error.what}" if error.where else error.what
            mend = f"{error.mend or 'see docs/policy.md'}; until then the policy before it holds"
            self._tell(what, mend, now)
            return False
        self._clear(now)
        return not same

    def _take_up(self, text: str | None, names: list[str], now: datetime) -> None:
        with self.database.write() as connection:
            Numbers(connection, now=int(now.timestamp()))  # it locks the counter: whoever writes next sees this policy
            number_rules(connection, names)
            set_policy(connection, text, now=int(now.timestamp()))

    def _tell(self, what: str, mend: str, now: datetime) -> None:
        """Raise the alarm, once for each thing that is wrong."""
        if self._stands() != what:
            with self.database.write() as connection:
                raise_alarm(connection, POLICY_BROKEN, what, now=now, mend=mend)

    def _stands(self) -> str | None:
        with self.database.read() as connection:
            alarm = find_alarm(connection, POLICY_BROKEN)
        return None if alarm is None or alarm.cleared_at is not None else alarm.what

    def _clear(self, now: datetime) -> None:
        if self._stands() is not None:
            with self.database.write() as connection:
                clear_alarm(connection, POLICY_BROKEN, now=now)


def _require_something(text: str | None) -> None:
    lines = (line.strip() for line in (text or "").splitlines())
    if not any(line and not line.startswith("#") for line in lines):
        raise ConfigurationError("the file is gone, or says nothing", where=FILE_NAME, mend=_GONE)


def read_text(path: Path) -> str | None:
    """Give the text of a policy file, None where there is none; ConfigurationError if it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_MAX_CHARACTERS + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(
            f"the file cannot be read: {error.strerror}", where=FILE_NAME, mend="let the node read it"
        ) from None
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ConfigurationError("the file is no UTF-8", where=FILE_NAME, mend="save it as UTF-8") from None
