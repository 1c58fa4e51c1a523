#!/usr/bin/env bash
# Write the lock files anew: pins with hashes, for every platform and Python from 3.11, naming no registry's host.
# Usage: requirements/lock.sh     (needs uv: pip install uv)
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --custom-compile-command requirements/lock.sh "$@"
}
compile requirements/build.in --output-file requirements/build.txt
compile pyproject.toml --extra pkcs11 --constraint requirements/build.txt --output-file requirements/run.txt
compile pyproject.toml --extra dev --constraint requirements/run.txt --constraint requirements/build.txt \
    --output-file requirements/dev.txt
