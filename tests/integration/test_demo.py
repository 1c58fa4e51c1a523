"""The demo, as a process of its own: it runs to its end, says what is wrong, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from hashpact_node.cli.demo_pictures import APART_MIN, bits_apart, choose_pictures, copy_picture, draw_pictures
from nodes import interruptible, wait_until

SECONDS = 900
RUN = "from hashpact_node.cli.main import main; main()"
SET_UP = "from hashpact_node.cli import demo, demo_steps; demo._steps = lambda: [demo_steps.set_up]; "
BROKEN = "from hashpact_node.cli import demo; demo._steps = lambda: [lambda stage, _: stage.expect('it is so', 2, 1)]; "


def start(
    folder: Path, *words: str, before: str = "", environment: Mapping[str, str] = os.environ
) -> subprocess.Popen[str]:
    """Start the demo with ``folder`` for its temporary files, after some lines of Python."""
    environment = {**environment, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", before + RUN, "demo", *words],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def processes_in(output: str) -> list[int]:
    """Give the ids of the nodes' processes, out of the table in which the demo shows them."""
    return [int(found) for found in re.findall(r"http://127\.0\.0\.1:\d+ +(\d+) ", output)]


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def processes_below(folder: Path) -> list[str]:
    """Give the processes whose working folder is, or was, below a folder."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            found.append((link.parent.name, str(link.readlink())))
    return [process for process, path in found if path.startswith(str(folder))]


def test_it_runs_to_its_end_and_leaves_nothing(tmp_path: Path) -> None:
    output, errors = start(tmp_path).communicate(timeout=SECONDS)
    assert "error" not in errors
    assert re.search(r"^All \d+ checks held, in \d+ seconds\.$", output, re.MULTILINE), output + errors
    assert len(re.findall(r"^\d  .* ─+$", output, re.MULTILINE)) == 9
    assert len(processes_in(output)) == 3
    assert not any(map(is_alive, processes_in(output)))
    assert list(tmp_path.iterdir()) == []


def test_kept_nodes_go_on_until_they_are_ended_as_it_says(tmp_path: Path) -> None:
    demo = start(tmp_path, "--keep", before=SET_UP)
    output, errors = demo.communicate(timeout=SECONDS)
    assert demo.returncode == 0, errors
    assert len(processes_in(output)) == 3
    assert all(map(is_alive, processes_in(output)))
    commands = re.findall(r"^command  (HASHPACT_HOME=.* status)$", output, re.MULTILINE)
    curls = re.findall(r"^curl -s .*/v1/status'$", output, re.MULTILINE)
    (end,) = re.findall(r"^kill .*$", output, re.MULTILINE)
    for line in (commands[-1], curls[0]):
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
        assert "gamma" in done.stdout, done.stderr
    subprocess.run(["bash", "-c", end], check=True)
    wait_until(lambda: not any(map(is_alive, processes_in(output))))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_half_way_it_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    demo = start(tmp_path, before=SET_UP, environment=interruptible(os.environ))
    assert demo.stdout is not None
    awaited = "gamma $ hashpact serve" if number == signal.SIGINT else "gamma $ hashpact init"
    seen = ""
    while awaited not in seen:
        line = demo.stdout.readline()
        assert line, f"it ended before it came so far: {seen}"
        seen += line
    assert list(tmp_path.iterdir())
    demo.send_signal(number)
    _, errors = demo.communicate(timeout=SECONDS)
    assert demo.returncode == 130
    assert errors.splitlines()[-1] == "stopped: the nodes are ended, and their folder is removed"
    assert list(tmp_path.iterdir()) == []
    assert processes_below(tmp_path) == []


def test_a_step_that_is_not_as_it_should_be_ends_it(tmp_path: Path) -> None:
    demo = start(tmp_path, before=BROKEN)
    _, errors = demo.communicate(timeout=SECONDS)
    assert demo.returncode == 1
    assert "it is so\n  expected: 1\n  seen: 2" in errors
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_enough_pictures_is_refused(tmp_path: Path) -> None:
    temporary, pictures = tmp_path / "temporary", tmp_path / "pictures"
    temporary.mkdir()
    pictures.mkdir()
    demo = start(temporary, "--pictures", str(pictures))
    _, errors = demo.communicate(timeout=SECONDS)
    assert demo.returncode == 2
    assert "the demo needs 3 pictures that differ, and there are no pictures in it" in errors
    Image.new("RGB", (64, 64)).save(pictures / "flat.png")
    (pictures / "text.jpg").write_text("no picture")
    demo = start(temporary, "--pictures", str(pictures))
    _, errors = demo.communicate(timeout=SECONDS)
    assert demo.returncode == 2
    assert "and 0 of the files in it can be used\n  flat.png: its PDQ has quality 0" in errors
    assert "text.jpg: this is no picture" in errors
    demo = start(temporary, "--pictures", str(pictures / "none"))
    _, errors = demo.communicate(timeout=SECONDS)
    assert demo.returncode == 2
    assert "the folder of pictures cannot be read" in errors
    assert list(temporary.iterdir()) == []


def test_pictures_that_look_alike_are_told_apart(tmp_path: Path) -> None:
    drawn = draw_pictures(tmp_path)
    copy = copy_picture(drawn[0], tmp_path)
    assert copy.suffix == ".jpg"
    chosen, left_out = choose_pictures(tmp_path)
    assert left_out == [f"{drawn[0].name}: it looks too much like {copy.name}"]
    assert {picture.name for picture in chosen} == {copy.name, *(picture.name for picture in drawn[1:])}
    for picture in drawn:
        assert all(bits_apart(picture.pdq, other.pdq) > APART_MIN for other in drawn if other is not picture)
