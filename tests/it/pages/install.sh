#!/bin/sh
# Installs the browser that the page tests drive, and the client by which they get their accessibility checks.
# For Debian 12, Ubuntu 24.04, and what came after them; run as root. The tests run it themselves when a program is
# missing.
set -eu
export DEBIAN_FRONTEND=noninteractive

has() {
    command -v "$1" > /dev/null 2>&1
}

packages=""
has chromium && has chromedriver || packages="chromium chromium-driver"
has npm || packages="$packages npm"
[ -n "$packages" ] || exit 0

install() {
    # shellcheck disable=SC2086
    apt-get -o DPkg::Lock::Timeout=600 install -y --no-install-recommends $packages
}
# The package lists of a fresh machine are missing or old.
install || { apt-get -o DPkg::Lock::Timeout=600 update && install; }
