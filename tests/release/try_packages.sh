#!/usr/bin/env bash
# Builds the wheel and the source distribution, installs each into clean environments of several Pythons, with the newest
# and with the oldest acryl-datahub that is supported, and runs the demo there, outside of this checkout. All must emit
# the same proposals.
#   tests/release/try_packages.sh python3.10 python3.11 …
set -euo pipefail
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DATAHUB_TELEMETRY_ENABLED=false
unset PYTHONPATH VIRTUAL_ENV
oldest=$(sed -n 's/.*acryl-datahub\[[^]]*\]>=\([0-9.]*\)".*/\1/p' "$checkout/setup.py")

digest='
import hashlib, json, sys
said = [[one.get(key) for key in ("entityUrn", "aspectName", "aspect")] for one in json.load(open(sys.argv[1]))]
print(len(said), hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16])
'

# Names the Python, the package, and further requirements.
try_package() {
    local python=$1 package=$2 label
    shift 2
    label="$("$python" --version), $(basename "$package")${*:+, $*}"
    rm -rf "$work/env" "$work/run"
    "$python" -m venv "$work/env"
    "$work/env/bin/python" -m pip install --quiet --quiet --disable-pip-version-check "$package" "$@"
    mkdir "$work/run" && cp -r "$checkout/recipes" "$work/run"
    (
        cd "$work/run" && mkdir -p output
        "$work/env/bin/datahub" ingest -c recipes/demo.yml > run.log 2>&1 || { tail -n 40 run.log; exit 1; }
        "$work/env/bin/datahub" check metadata-file output/demo.json > check.log 2>&1 || { tail -n 20 check.log; exit 1; }
        echo "SELECT id FROM sales.orders" | "$work/env/bin/datahub-aws-lineage" explain > explained.txt
        grep --quiet "sales.orders" explained.txt
        "$work/env/bin/python" -c "$digest" output/demo.json
    ) > "$work/said" || { cat "$work/said"; echo "failed: $label"; exit 1; }
    echo "$label: $(cat "$work/said")"
    cat "$work/said" >> "$work/all"
}

echo "Building the wheel and the source distribution ..."
"$1" -m venv "$work/build"
"$work/build/bin/python" -m pip install --quiet --quiet --disable-pip-version-check build
git -C "$checkout" archive --prefix=source/ HEAD | tar -x -C "$work"
"$work/build/bin/python" -m build --outdir "$work/dist" "$work/source" > "$work/build.log" 2>&1 || { tail "$work/build.log"; exit 1; }
wheel=$(echo "$work"/dist/*.whl)
unzip -l "$wheel" | grep "datahub_aws_lineage/py.typed" > /dev/null

try_package "$1" "$(echo "$work"/dist/*.tar.gz)"
try_package "$1" "$wheel" "acryl-datahub==$oldest"
for python in "$@"; do
    try_package "$python" "$wheel"
done
[ "$(sort -u "$work/all" | wc -l)" = 1 ] || { echo "not all emit the same"; exit 1; }
echo "All emit the same proposals."
