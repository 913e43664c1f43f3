#!/usr/bin/env bash
# What `make soak` runs: the disruptions of test/e2e in their full lengths, on a node of their own (docs/operations/soak.md).
# Needs what `make e2e` needs and installs. It prints what the tests say while they run, and the figures once more at the end.
# TESTFLAGS="-run Renewed" narrows.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ $(uname -s) != Linux || $(id -u) -ne 0 ]]; then
	echo "make soak: pods need Linux and root, for namespaces, mounts and cgroups: run it with sudo -E, or in a virtual machine." >&2
	exit 1
fi

# What the tests start outlives them if they are killed: this ends it in any case.
state=$(mktemp -d)
cluster=$state/cluster
cleanup() {
	local status=$?
	trap - EXIT
	[[ ! -d $state/node ]] || "$cluster" remove-node --state "$state/node" || status=1
	rm -rf "$state"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

go build -o "$cluster" ./hack/cluster/cmd/cluster
"$cluster" build-node
disruptions='NoCallFails|NoVerificationFails|CallsGoOn|TokensAreMinted|NothingThatRuns'
status=0
LANYARD_SOAK=1 LANYARD_E2E_STATE=$state go test -tags=e2e -count=1 -timeout=60m -v -run "$disruptions" ${TESTFLAGS:-} ./test/e2e 2>&1 |
	tee "$state/soak.log" || status=1
echo
echo "== figures"
sed -n 's/^=== ATTR  [^ ]* figure //p' "$state/soak.log"
exit "$status"
