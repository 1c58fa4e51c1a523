"""Commands that are run in this process, on the home of one node."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from typer.testing import CliRunner, Result

from hashpact_node.cli.main import app
from nodes import PASSPHRASE


@dataclass
class Commands:
    """Runs commands on one home; their output never holds a traceback or the passphrase."""

    home: Path

    def __call__(self, *arguments: str, code: int = 0) -> Result:
        """Run a command, which must end with this exit code."""
        result = CliRunner().invoke(app, arguments, env={"HASHPACT_HOME": str(self.home)})
        assert result.exit_code == code, f"{result.exit_code}\n{result.stdout}\n{result.stderr}"
        assert "Traceback" not in result.output
        assert PASSPHRASE not in result.output
        return result

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command with ``--json``, and give what it wrote."""
        return json.loads(self(*arguments, "--json", code=code).stdout)

    def error(self, *arguments: str, code: int) -> dict[str, Any]:
        """Run a command that must fail with this exit code, and give the error that it tells programs."""
        result = self(*arguments, "--json", code=code)
        error: dict[str, Any] = json.loads(result.stderr.splitlines()[-1])["error"]
        assert error["exit"] == code
        assert error["what"]
        return error

    def complaint(self, *arguments: str, code: int) -> str:
        """Run a command that must fail with this exit code, and give the lines that it tells people."""
        said = self(*arguments, code=code).stderr
        assert said.startswith("error: ")
        return said


def picture(path: Path, number: int) -> Path:
    """Draw a picture of noise that only this number has."""
    colours = np.random.default_rng(number).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(colours).resize((200, 150), Image.Resampling.BICUBIC).save(path)
    return path
