"""Let a node of ours follow a member, told the node's environment in a file: what the witness mode's --setup runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    environment, member, url, root = sys.argv[1:]
    line = [str(Path(sys.executable).parent / "hashpact"), "peer", "add", member, url, "--root", root, "--yes"]
    sys.exit(subprocess.run(line, env=json.loads(Path(environment).read_bytes()), check=False).returncode)
