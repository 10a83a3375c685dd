#!/usr/bin/env bash
# Installs the programs that the tests and benchmarks start, where they are missing and where that is possible
# (root with apt-get). Elsewhere it says what is missing and what that costs. `make run` needs none of them but git.
set -uo pipefail

# program | Debian package | what needs it
wanted='git|git|Hutch itself
git-lfs|git-lfs|the tests of git lfs
chromium|chromium|the tests of the pages
fonts|fonts-dejavu-core|the tests of the pages
rsync|rsync|the test of the backup
nginx|nginx-light|the benchmarks and the tests behind a proxy
openssl|openssl|the tests of TLS
node|nodejs|the tests of the JavaScript client
npm|npm|the tests of the JavaScript client
postgres|postgresql|the tests on PostgreSQL'

PATH="$PATH:/usr/sbin:/sbin"
found() {
    command -v "$1" >/dev/null 2>&1 && return
    [ "$1" = fonts ] && ls /usr/share/fonts/*/* >/dev/null 2>&1 && return
    # Debian keeps the server's program out of the path, in a folder for each release.
    [ "$1" = postgres ] && ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1
}
missing() { while IFS='|' read -r program package purpose; do found "$program" || echo "$program|$package|$purpose"; done <<<"$wanted"; }

lacking=$(missing)
[ -z "$lacking" ] && exit 0
packages=$(cut -d'|' -f2 <<<"$lacking" | xargs)
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "system: installing $packages" >&2
    log=$(mktemp)
    # RUNLEVEL=1 keeps the packages from starting their own servers: the tests start theirs.
    if ! { apt-get update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends $packages; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
    fi
    rm -f "$log"
fi
lacking=$(missing)
[ -z "$lacking" ] && exit 0
while IFS='|' read -r program package purpose; do
    echo "system: $program is missing (Debian package $package); without it go: $purpose" >&2
done <<<"$lacking"
[ "${1:-}" != --strict ]
