#!/usr/bin/env bash
# Fuzzes every fuzz target of the module for FUZZTIME each, one after the other.
# Stops at the first finding: go test has then written the input to testdata/fuzz,
# where it belongs into the commit that fixes it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fuzztime=${FUZZTIME:-30s}
targets=$(git grep --untracked -hoE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | wc -l)
if ((targets == 0)); then
	echo "hack/fuzz.sh: no fuzz target found" >&2
	exit 1
fi

echo "$targets fuzz targets, $fuzztime each"
while IFS=: read -r file declaration; do
	name=${declaration#func }
	echo "== $name in $(dirname "$file")"
	go test "./$(dirname "$file")" -run='^$' -fuzz="^$name\$" -fuzztime="$fuzztime" -fuzzminimizetime=10s </dev/null
done < <(git grep --untracked -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go')
echo "$targets fuzz targets, nothing found"
