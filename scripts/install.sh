#!/usr/bin/env bash
# Make .venv with the locked dependencies and this project in it; see `make install`.
# PYTHON chooses the interpreter. pip's own settings (PIP_INDEX_URL, pip.conf, proxies) are honoured.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    printf 'make install: %s\n' "$@" >&2
    exit 1
}

recent() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if recent "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    fail "no Python of version 3.11 or later was found (looked for: ${PYTHON:-python3 python3.13 python3.12 python3.11})." \
        "Install one, or name it: make install PYTHON=/path/to/python3.12" \
        "On Debian 12 or later: apt-get install build-essential python3-dev python3-venv"
}

# Some dependencies have no wheel for Linux and are compiled: that takes a C++ compiler and Python's headers.
check_tools() {
    local python=$1 missing=() packages=()
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        missing+=("Python's venv module") packages+=(python3-venv)
    fi
    if ! command -v "${CXX:-c++}" >/dev/null && ! command -v g++ >/dev/null; then
        missing+=("a C++ compiler") packages+=(build-essential)
    fi
    if ! "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))'; then
        missing+=("Python's headers (Python.h)") packages+=(python3-dev)
    fi
    if ((${#missing[@]})); then
        fail "these are missing: $(printf '%s; ' "${missing[@]}")" \
            "On Debian and Ubuntu: apt-get install ${packages[*]}"
    fi
}

# Run a step quietly; when it fails, show the end of what it said.
step() {
    local title=$1 log=.venv/install.log
    shift
    printf '%s …\n' "$title"
    if ! "$@" >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        fail "\"$title\" failed; the whole of what it said is in $log." \
            "If packages could not be fetched: pip follows PIP_INDEX_URL, pip.conf and HTTPS_PROXY; see whether they lead" \
            "to a reachable package index. Then run it again: it goes on where it stopped."
    fi
}

python=$(find_python)
check_tools "$python"
if ! .venv/bin/python -c 'import pip' 2>/dev/null || ! recent .venv/bin/python; then
    printf 'Making .venv with %s …\n' "$("$python" --version)"
    "$python" -m venv --clear .venv || fail "the virtual environment could not be made."
fi
pip=(.venv/bin/python -m pip --disable-pip-version-check --no-input install --quiet)
# The locks are complete, so nothing is resolved (--no-deps): an older pip would prefer a newer release of what one
# package asks with an extra (coverage[toml]) to the pinned one, and then refuse it. `pip check` below sees gaps.
step "Installing what builds packages" "${pip[@]}" --require-hashes --no-deps -r requirements/build.txt
step "Installing the locked dependencies" "${pip[@]}" --require-hashes --no-deps --no-build-isolation -r requirements/dev.txt
step "Installing Hashpact" "${pip[@]}" --no-deps --no-build-isolation --editable .
.venv/bin/python -m pip --disable-pip-version-check check >/dev/null || fail "the installed packages do not fit together."
touch .venv/.installed
printf 'Installed in .venv.\n'
