"""Files that commands read and write."""

from __future__ import annotations

from pathlib import Path

import pytest

from hashpact_node.cli.files import read_input, text_output
from hashpact_protocol.errors import RequestError


def test_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_input(tmp_path / "file", max_bytes=5) == b"12345"
    with pytest.raises(RequestError, match="longer than 4 bytes"):
        read_input(tmp_path / "file", max_bytes=4)
    with pytest.raises(RequestError, match="Is a directory"):
        read_input(tmp_path)


def test_output_is_whole_or_not_there(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"

    def fail() -> None:
        with text_output(target) as file:
            file.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not list(tmp_path.iterdir())
    with text_output(target) as file:
        file.write("whole\r\n")
    assert target.read_bytes() == b"whole\r\n"
    assert list(tmp_path.iterdir()) == [target]


def test_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    for path in (None, Path("-")):
        with text_output(path) as file:
            file.write("x")
    assert capsys.readouterr().out == "xx"
