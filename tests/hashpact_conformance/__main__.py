"""``python -m hashpact_conformance``."""

import sys

from hashpact_conformance.main import main

if __name__ == "__main__":
    sys.exit(main())
