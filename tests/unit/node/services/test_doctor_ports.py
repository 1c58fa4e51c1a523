from __future__ import annotations

import socket
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from hashpact_node.services.doctor_kinds import Level
from hashpact_node.services.doctor_ports import check_ports, judge_listeners, listeners
from hashpact_node.services.doctor_visit import Visit
from hashpact_node.settings import Settings
from own_member import NOW

LOOPBACK, ALL, ALL_V6 = "127.0.0.1", "0.0.0.0", "::"  # noqa: S104  nothing is bound to them here
TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2116 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 00000000:2116 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1
   2: 0501A8C0:2116 0601A8C0:9C40 01 00000000:00000000 00:00000000 00000000     0        0 3 1
   3: 0501A8C0:2117 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4 1
"""
TABLE_V6 = """\
  sl  local_address                         remote_address                        st tx_queue
   0: 00000000000000000000000001000000:2116 00000000000000000000000000000000:0000 0A 00000000
   1: 0000000000000000FFFF00000501A8C0:2116 00000000000000000000000000000000:0000 0A 00000000
"""


def told(home: Path, **values: object) -> Settings:
    return replace(Settings(home=home, member="acme", url="https://acme.example"), **values)  # type: ignore[arg-type]  # as tests give them


@pytest.mark.parametrize(
    ("host", "tls", "running", "found", "expected"),
    [
        (LOOPBACK, False, True, [LOOPBACK], []),
        (LOOPBACK, False, False, [], []),
        (LOOPBACK, False, True, [ALL], ["port-open-elsewhere"]),
        (LOOPBACK, False, True, [LOOPBACK, "192.168.1.5"], ["port-open-elsewhere"]),
        (LOOPBACK, False, False, [LOOPBACK], ["port-taken"]),
        ("localhost", True, False, [ALL_V6], ["port-taken"]),
        (ALL, False, True, [ALL], ["port-in-clear"]),
        (ALL, False, False, [], ["port-in-clear"]),
        (ALL, True, True, [ALL], []),
    ],
)
def test_who_can_reach_the_port(
    tmp_path: Path, *, host: str, tls: bool, running: bool, found: list[str], expected: list[str]
) -> None:
    settings = told(tmp_path, host=host, tls_certificate=tmp_path / "a.pem" if tls else None)
    told_of = judge_listeners(settings, [ip_address(one) for one in found], running=running)
    assert [one.code for one in told_of if one.level is not Level.OK] == expected


def test_the_kernel_s_tables_are_read(tmp_path: Path) -> None:
    (tmp_path / "tcp").write_text(TABLE)
    (tmp_path / "tcp6").write_text(TABLE_V6)
    tables = [tmp_path / "tcp", tmp_path / "tcp6", tmp_path / "none"]
    assert [str(one) for one in listeners(0x2116, tables)] == [LOOPBACK, ALL, "::1", "192.168.1.5"]
    assert [str(one) for one in listeners(0x2117, tables)] == ["192.168.1.5"]
    assert list(listeners(0x2118, tables)) == []


@pytest.mark.parametrize("tables", [None, []])
def test_what_listens_is_found(tables: list[Path] | None) -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        found = listeners(port) if tables is None else listeners(port, tables)
        assert [str(one) for one in found] == [LOOPBACK]
    assert list(listeners(port, [])) == []


def test_a_node_that_does_not_run_is_told(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        settings = told(tmp_path, port=listener.getsockname()[1])
        found = [one.code for one in check_ports(Visit(settings, lambda: NOW, None, None))]
        assert found == ["port-taken", "not-running"]
        found = [one.code for one in check_ports(Visit(settings, lambda: NOW, None, None, running=True))]
        assert found == ["ok"]
