#!/bin/sh
# Installs Debian packages where that needs no question: as root, or with a sudo that asks for no password.
set -eu

command -v apt-get >/dev/null || exit 1
if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null; then
    as_root=sudo
else
    exit 1
fi

echo "Installing $* with apt-get" >&2
$as_root apt-get update -qq || echo "apt-get update failed; trying with the package lists at hand" >&2
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >&2 </dev/null
