#!/usr/bin/env bash
# Show what the last test run covered, package by package; the protocol must be covered whole, branches too.
set -euo pipefail
cd "$(dirname "$0")/.."
for package in hashpact_node hashpact_keys hashpact_protocol; do
    printf '\n== %s\n' "$package"
    floor=0
    [[ $package == hashpact_protocol ]] && floor=100
    .venv/bin/coverage report --include="*/$package/*" --fail-under="$floor"
done
