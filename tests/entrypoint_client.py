"""The command line of our own entrypoint: tells a running :mod:`entrypoint_server` what it was called with.

Nothing but the standard library, and little of it: it is called hundreds of times.
"""

import json
import socket
import sys

with socket.socket(socket.AF_UNIX) as link:
    link.connect(sys.argv[1])
    link.sendall(json.dumps(sys.argv[2:]).encode() + b"\n")
    answer = json.loads(link.makefile("rb").read())
sys.stdout.write(answer["out"])
sys.stderr.write(answer["said"])
sys.exit(answer["code"])
