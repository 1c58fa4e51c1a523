from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.errors import ConfigurationError, NoteError, SignatureError
from hashpact_protocol.notes import Note, VerifierKey, parse_checkpoint, parse_note
from hashpact_protocol.tlog_policy import POLICY_MAX_BYTES, Group, TlogPolicy, parse_policy
from vectors.cases import cases, facts
from vectors.generate_proofs import CHECKPOINT, signed
from vectors.signers import LOG, OTHER, WITNESSES, Signer, checkpoint_text

LOG_KEY, OTHER_KEY = VerifierKey.parse(LOG.vkey), VerifierKey.parse(OTHER.vkey)
WITNESS_KEYS = [VerifierKey.parse(signer.vkey) for signer in WITNESSES]


def shown(*witnesses: Signer, log: Signer = LOG) -> Note:
    return parse_note(signed(CHECKPOINT, *witnesses, log=log).encode())


@pytest.mark.parametrize("folder", cases("proofs", "policy"), ids=lambda folder: folder.name)
def test_vector(folder: Path) -> None:
    case = facts(folder)
    data = (folder / "policy").read_bytes()
    assert folder.name.endswith("_fail") == ("error" in case)
    if "error" in case:
        with pytest.raises(ConfigurationError) as caught:
            parse_policy(data)
        assert (caught.value.code, caught.value.where) == (case["error"], case["where"])
    else:
        policy = parse_policy(data)
        found = (len(policy.logs), len(policy.witnesses), len(policy.groups))
        assert found == (case["logs"], case["witnesses"], case["groups"])


def test_what_a_policy_holds() -> None:
    text = f"log {LOG.vkey} https://acme.example\nwitness A {WITNESSES[0].vkey}\ngroup g all A\nquorum g\n"
    groups = {b"g": Group(1, (b"A",))}
    assert parse_policy(text.encode()) == TlogPolicy((LOG_KEY,), {b"A": WITNESS_KEYS[0]}, groups, b"g")


ML_DSA = bytes([6]) + bytes(1_312)


def ml_dsa_key(name: str) -> str:
    key_id = sha256(name.encode() + b"\n" + ML_DSA).hexdigest()[:8]
    return f"{name}+{key_id}+{b64encode(ML_DSA).decode()}"


ML_DSA_KEY = ml_dsa_key("pq.example")


def test_who_signs_in_a_way_that_is_not_known_never_witnesses() -> None:
    lines = f"log {LOG.vkey}\nlog {ML_DSA_KEY}\nwitness A {WITNESSES[0].vkey}\nwitness P {ML_DSA_KEY}\n"
    either = parse_policy(f"{lines}group g any A P\nquorum g\n".encode())
    assert (either.logs, either.witnesses) == ((LOG_KEY,), {b"A": WITNESS_KEYS[0]})
    either.check(shown(WITNESSES[0]))
    assert either.is_met([b"A"])
    assert not either.is_met([])
    for quorum in ("group g all A P\nquorum g\n", "quorum P\n"):
        with pytest.raises(SignatureError, match="is not met"):
            parse_policy(f"{lines}{quorum}".encode()).check(shown(WITNESSES[0]))


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (f"witness Q {ML_DSA_KEY}\n", "an earlier line has"),
        (f"witness P {WITNESSES[0].vkey}\n", "taken"),
        (f"log {ML_DSA_KEY}\n", "an earlier line has"),
        (f"witness Q {ml_dsa_key('')}\n", "no verifier key"),
        (f"witness Q {ML_DSA_KEY.replace('pq', 'qp')}\n", "no verifier key"),
    ],
)
def test_no_key_of_an_unknown_type_that_is_not_of_its_form(last: str, message: str) -> None:
    lines = f"log {ML_DSA_KEY}\nwitness P {ML_DSA_KEY}\nquorum P\n"
    with pytest.raises(ConfigurationError, match=message):
        parse_policy(f"{lines}{last}".encode())


def test_no_policy_that_is_too_large() -> None:
    with pytest.raises(ConfigurationError, match="too large"):
        parse_policy(b"\n" * (POLICY_MAX_BYTES + 1))


def test_a_log_alone() -> None:
    policy = TlogPolicy.of_keys([OTHER_KEY, LOG_KEY])
    assert policy.check(shown()) == parse_checkpoint(CHECKPOINT.encode())
    with pytest.raises(SignatureError, match="no known key"):
        policy.check(shown(log=OTHER))  # which is accepted for its own origin alone


@given(st.integers(1, 3), st.sets(st.sampled_from(range(3))))
def test_so_many_of_the_witnesses(least: int, present: set[int]) -> None:
    policy = TlogPolicy.of_keys([LOG_KEY], WITNESS_KEYS, least)
    note = shown(*(WITNESSES[number] for number in sorted(present)))
    if len(present) >= least:
        assert policy.check(note).size == 7
    else:
        with pytest.raises(SignatureError, match=f"'quorum' is not met: {len(present)} known"):
            policy.check(note)


@pytest.mark.parametrize(
    ("quorum", "present", "met"),
    [
        ("both", "02", True),
        ("both", "01", False),
        ("both", "2", False),
        ("X", "1", True),
        ("X", "2", False),
        ("C", "2", True),
        ("C", "01", False),
        ("none", "", True),
    ],
)
def test_groups(quorum: str, present: str, *, met: bool) -> None:
    lines = [
        f"log {LOG.vkey}",
        *(f"witness {name} {key.vkey}" for name, key in zip("ABC", WITNESSES, strict=True)),
        "group X any A B",
        "group Y all C",
        "group both 2 X Y",
        f"quorum {quorum}",
    ]
    policy = parse_policy("".join(f"{line}\n" for line in lines).encode())
    note = shown(*(WITNESSES[int(number)] for number in present))
    if met:
        policy.check(note)
    else:
        with pytest.raises(SignatureError, match="is not met"):
            policy.check(note)


def test_a_name_that_is_no_text_can_be_told() -> None:
    policy = parse_policy(f"log {LOG.vkey}\nwitness \xff {WITNESSES[0].vkey}\nquorum \xff\n".encode("latin-1"))
    with pytest.raises(SignatureError, match=r"\\xff"):
        policy.check(shown())


def test_a_wrong_cosignature_sinks_the_note_even_without_a_quorum() -> None:
    note = parse_note(f"{signed()}{WITNESSES[0].cosign(checkpoint_text('8'))}".encode())
    with pytest.raises(SignatureError, match="wrong"):
        TlogPolicy.of_keys([LOG_KEY], WITNESS_KEYS).check(note)


def test_a_note_that_is_no_checkpoint() -> None:
    with pytest.raises(NoteError):
        TlogPolicy.of_keys([LOG_KEY]).check(parse_note(signed("A text.\n").encode()))


@pytest.mark.parametrize(
    ("logs", "witnesses", "least"),
    [
        ([LOG_KEY, LOG_KEY], [], 0),
        (WITNESS_KEYS, [], 0),
        ([LOG_KEY], [LOG_KEY], 0),
        ([LOG_KEY], WITNESS_KEYS, 4),
        ([LOG_KEY], WITNESS_KEYS, -1),
        ([LOG_KEY], [], 1),
    ],
)
def test_no_policy_of_unfit_keys(logs: Iterable[VerifierKey], witnesses: Iterable[VerifierKey], least: int) -> None:
    with pytest.raises(ConfigurationError):
        TlogPolicy.of_keys(logs, witnesses, least)


@given(
    st.lists(st.sampled_from([b"log", b"witness", b"group", b"quorum", b"none", b" ", b"\n", b"any", b"1", b"\xff"]))
)
def test_any_words_are_read_or_refused(words: list[bytes]) -> None:
    try:
        policy = parse_policy(b"".join(words))
    except ConfigurationError:
        return
    assert policy.quorum == b"none"
