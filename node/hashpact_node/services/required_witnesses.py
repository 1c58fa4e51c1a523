"""Whose cosignatures a checkpoint needs before its entries count here: a number, or a policy file of the operator."""

from __future__ import annotations

from hashpact_node.settings import Settings
from hashpact_protocol.errors import ConfigurationError
from hashpact_protocol.tlog_policy import POLICY_MAX_BYTES, TlogPolicy, parse_policy


def required_witnesses(settings: Settings) -> int | TlogPolicy:
    """Give the number, or read the policy that ``require_witnesses`` names (C2SP tlog-policy).

    ConfigurationError, with the file and where it can be said the line, when there is no such file, it is no policy,
    or its quorum could not be met even if every witness whose keys can be verified here had cosigned.
    """
    asked = settings.require_witnesses
    if isinstance(asked, int):
        return asked
    try:
        with asked.open("rb") as file:
            policy = parse_policy(file.read(POLICY_MAX_BYTES + 1))
    except OSError as error:
        raise ConfigurationError(
            f"the policy file cannot be read: {error.strerror}",
            where=str(asked),
            mend="let require_witnesses name a file of C2SP tlog-policy that the node may read, or write a number",
        ) from None
    except ConfigurationError as error:
        where = f"{asked}, {error.where}" if error.where else str(asked)
        raise ConfigurationError(error.what, where=where, mend=error.mend or "see c2sp.org/tlog-policy") from None
    if not policy.is_met(policy.witnesses):
        raise ConfigurationError(
            "the quorum of this policy can never be met",
            where=str(asked),
            mend="its witnesses need keys of type 0x04, since no others can be verified here",
        )
    return policy
