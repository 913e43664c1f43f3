#!/usr/bin/env bash
# Checks what a reviewer should not have to: that generated files are what the
# generators write, that module files are tidy, that Go files are formatted, and
# that no file names a package registry. Changes nothing in the checkout, runs
# every check even if one fails, and says of each what to do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# files lists what is, or is about to be, in the repository.
files() {
	git ls-files --cached --others --exclude-standard --deduplicate -- "$@" | while IFS= read -r file; do
		[[ ! -f $file ]] || echo "$file"
	done
}

check_generated() {
	local copy=$scratch/copy generated=(api config charts/lanyard docs/reference)
	mkdir "$copy"
	files | tar -cf - -T - | tar -xf - -C "$copy" || return 1
	# The copy is a repository only so that tools that ask git find no other one.
	git -C "$copy" init -q || return 1
	if ! make -C "$copy" --no-print-directory generate >"$scratch/generate.log" 2>&1; then
		cat "$scratch/generate.log"
		echo "make generate fails; the lines above say why"
		return 1
	fi
	for path in "${generated[@]}"; do
		# What is ignored or stale here is not in the copy, and shows as a difference.
		diff -ruN "$path" "$copy/$path" || { echo "$path is not what make generate writes; run it and commit the result" && return 1; }
	done
}

check_tidy() {
	local untidy=0 mod
	while read -r mod; do
		if ! (cd "$(dirname "$mod")" && GOWORK=off go mod tidy -diff); then
			echo "$mod is not tidy; run: (cd $(dirname "$mod") && go mod tidy)"
			untidy=1
		fi
	done < <(files 'go.mod' '**/go.mod')
	return "$untidy"
}

check_format() {
	local unformatted
	unformatted=$(files '*.go' | xargs -r gofmt -l)
	[[ -z $unformatted ]] || { echo "$unformatted"; echo "run: gofmt -w on these files"; return 1; }
}

# A registry or mirror in a file decides for everyone who builds it where their
# packages come from; that choice belongs to the environment (GOPROXY, GO_IMAGE).
# docker.io/local/ names images that are imported and never pulled.
check_registries() {
	local hosts='(docker|ghcr|quay|gcr)[.]io/|registry[.]k8s[.]io|mcr[.]microsoft[.]com|public[.]ecr[.]aws|(proxy|sum)[.]golang[.]org|goproxy[.](io|cn)|registry[.]npmjs[.]org|pypi[.]org|deb[.]debian[.]org|archive[.]ubuntu[.]com'
	local lines
	lines=$(files | xargs -r -d '\n' grep -InE "$hosts" | grep -vE 'docker[.]io/local/')
	[[ -z $lines ]] || { echo "$lines"; echo "these lines name a package registry; leave the host to the environment"; return 1; }
}

failed=()
for check in format registries tidy generated; do
	started=$SECONDS
	if "check_$check" >"$scratch/output" 2>&1; then
		echo "ok    $check ($((SECONDS - started)) s)"
	else
		failed+=("$check")
		echo "FAIL  $check ($((SECONDS - started)) s)"
		sed 's/^/      /' "$scratch/output"
	fi
done
if ((${#failed[@]})); then
	echo "verify: ${failed[*]} failed" >&2
	exit 1
fi
