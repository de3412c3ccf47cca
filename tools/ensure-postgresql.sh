#!/bin/sh
# Sees to it that PostgreSQL's programs are there for the tests; installs Debian's package where it may.
# The tests start and stop a server of their own (tests/postgresql_server.py); no system service is needed.
set -eu

has_postgresql() {
    command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

has_postgresql && exit 0
"$(dirname "$0")/apt-install.sh" postgresql || true
has_postgresql && exit 0
cat >&2 <<'TEXT'
The tests need PostgreSQL's server programs (initdb, postgres), and they are not on this machine.
On Debian or Ubuntu: sudo apt-get install postgresql. Elsewhere: install PostgreSQL and put its bin folder on PATH.
The tests that need none run with: make fast
TEXT
exit 1
