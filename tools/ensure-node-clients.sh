#!/bin/sh
# Sees to it that the JavaScript clients of the contract tests are there: Node.js itself, and the packages that
# tests/clients/node/package.json names. Does nothing where the packages are those already.
set -eu

folder=$(dirname "$0")/../tests/clients/node
mark=$folder/node_modules/.installed-package.json

has_node() {
    command -v node >/dev/null && command -v npm >/dev/null
}

has_node && cmp -s "$folder/package.json" "$mark" && exit 0
has_node || "$(dirname "$0")/apt-install.sh" nodejs npm || true
if ! has_node; then
    cat >&2 <<'TEXT'
The tests need Node.js and npm for the JavaScript clients that they drive, and they are not on this machine.
On Debian or Ubuntu: sudo apt-get install nodejs npm. The tests that need none run with: make fast
TEXT
    exit 1
fi
echo "Installing the JavaScript clients of the tests" >&2
(cd "$folder" && npm install --no-package-lock --no-audit --no-fund --loglevel=error >&2)
cp "$folder/package.json" "$mark"
