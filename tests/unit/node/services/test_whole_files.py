from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hashpact_node.services.whole_files import write_whole
from hashpact_protocol.errors import RequestError


def test_a_file_is_written_whole_and_everybody_may_read_it(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "file"
    write_whole(target, b"one")
    write_whole(target, b"two")
    assert target.read_bytes() == b"two"
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RequestError, match="cannot be written") as caught:
        write_whole(tmp_path / "file" / "below", b"x")
    assert caught.value.where == str(tmp_path / "file" / "below")
