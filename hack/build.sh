#!/usr/bin/env bash
# Usage: hack/build.sh FOLDER
#
# Builds every program of cmd/ as a static binary. The one place that knows their
# names: cmd/issuer becomes lanyard-issuer; a kubectl plugin keeps its own name.
set -euo pipefail

out=${1:?usage: hack/build.sh FOLDER}
cd "$(dirname "${BASH_SOURCE[0]}")/.."

built=0
for dir in cmd/*/; do
	[[ -f ${dir}main.go ]] || continue
	name=$(basename "$dir")
	[[ $name == *lanyard* ]] || name=lanyard-$name
	echo "building $out/$name"
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$out/$name" "./$dir"
	built=$((built + 1))
done
if ((built == 0)); then
	echo "hack/build.sh: no main.go under cmd/*/, nothing was built" >&2
	exit 1
fi
