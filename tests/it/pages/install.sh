#!/bin/sh
# Installs the browser that the page tests drive, and the client by which they get their accessibility checks.
# For Debian 12, Ubuntu 24.04, and what came after them; run as root. The tests run it themselves when a program is
# missing.
set -eu
export DEBIAN_FRONTEND=noninteractive

has() {
    command -v "$1" > /dev/null 2>&1
}

# One from a snap sees no temporary folders.
has_browser() {
    has chromedriver && case $(command -v chromium) in
        "" | /snap/*) false ;;
    esac
}

install() {
    apt-get -o DPkg::Lock::Timeout=600 install -y --no-install-recommends "$@"
}

has_browser && has npm && exit 0
# The package lists of a fresh machine are missing or old.
apt-get -o DPkg::Lock::Timeout=600 update
has npm || install npm
has_browser && exit 0
if apt-cache policy chromium-driver | grep -q 'Candidate: [0-9]'; then
    install chromium chromium-driver
    exit 0
fi

# Ubuntu has Chromium as a snap alone. The makers' builds for tests come by npm, both of
# one version; `--install-deps` brings the libraries that they need.
folder=/opt/rosterd-tests
install unzip
build() { # PROGRAM: prints where it is
    npx --yes @puppeteer/browsers@2 install "$@" --path "$folder" | tail -n 1 | cut -d ' ' -f 2-
}
if chrome=$(build chrome@stable --install-deps) && [ -x "$chrome" ]; then
    version=$(echo "$chrome" | sed -n 's#.*/linux-\([0-9.]*\)/.*#\1#p')
    driver=$(build "chromedriver@$version")
    ln -sf "$chrome" /usr/local/bin/chromium
    ln -sf "$driver" /usr/local/bin/chromedriver
fi
has_browser && exit 0
echo "the page tests need Chromium, which Ubuntu has as a snap alone, and the builds of" >&2
echo "https://googlechromelabs.github.io/chrome-for-testing/ could not be fetched: put \`chromium\` and \`chromedriver\`," >&2
echo "of one version, into /usr/local/bin; or leave these tests out: ./test -- --skip pages::" >&2
exit 1
