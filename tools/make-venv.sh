#!/bin/sh
# Makes the virtual environment in the folder given, with the first Python >= 3.11 that runs.
# 3.11 is tried first: it is the version that the lock files were resolved for.
# Debian keeps the venv module in a package of its own, fetched here where we may.
set -eu
folder=$1

find_python() {
    for candidate in ${PYTHON:-} python3.11 python3 python3.12 python3.13 python3.14; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "Tandem needs Python 3.11 or newer, and none was found. Install it, or name it: make setup PYTHON=/path/to/python3" >&2
    exit 1
}

ensure_venv_module() {
    "$1" -c 'import venv; from ensurepip import bootstrap' 2>/dev/null && return
    package=$("$1" -c 'import sys; print("python3.%d-venv" % sys.version_info.minor)')
    "$(dirname "$0")/apt-install.sh" "$package" && "$1" -c 'import venv; from ensurepip import bootstrap' && return
    echo "$1 lacks its venv module. On Debian or Ubuntu: sudo apt-get install $package" >&2
    exit 1
}

python=$(find_python)
ensure_venv_module "$python"
"$python" -m venv "$folder"
