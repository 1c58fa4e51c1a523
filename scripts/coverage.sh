#!/usr/bin/env bash
# Show what the last `make coverage` found covered, package by package.
set -euo pipefail
cd "$(dirname "$0")/.."
for package in hashpact_node hashpact_keys hashpact_protocol; do
    printf '\n== %s\n' "$package"
    .venv/bin/coverage report --include="*/$package/*"
done
