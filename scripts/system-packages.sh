#!/bin/sh
# Install what pip cannot: a C compiler, the Python headers and venv. Does nothing where they are present.
set -eu
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    echo "polyinj needs Python >= 3.11; $python is $("$python" --version 2>&1 || echo missing). Try make PYTHON=python3.12" >&2
    exit 1
}

missing=""
command -v cc >/dev/null 2>&1 || missing="$missing gcc libc6-dev"
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
"$python" -c 'import os, sysconfig, sys; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
    missing="$missing python3-dev"
[ -n "$missing" ] || exit 0

echo "installing$missing" >&2
sudo=""
[ "$(id -u)" = 0 ] || sudo=sudo
command -v apt-get >/dev/null 2>&1 || {
    echo "no apt-get here: install$missing by hand, then run make again" >&2
    exit 1
}
$sudo apt-get update -q
# shellcheck disable=SC2086 # a list of package names
$sudo apt-get install -q -y --no-install-recommends $missing
