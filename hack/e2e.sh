#!/usr/bin/env bash
# What `make e2e` runs: clients and verifiers of other makers (test/interop) against Lanyard on a
# real control plane, web servers in front of APIs (test/ingress), and real pods on a whole node
# (test/node, test/e2e). Needs Linux and root, for the node. Installs what they need: Node.js, npm, curl, containerd and the rest from Debian's
# packages where they are missing, and the pinned npm packages.
#
# The npm packages are installed once for each lock file, and kept outside the checkout beside
# what hack/tools/run and hack/cluster keep:
#
#   ${LANYARD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lanyard}/node/<hash>/node_modules
#
# The last line says how many tests passed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What @azure/msal-node asks for is 20; it and the others work with 18, which Debian 12 has.
oldest_node=18
cache=${LANYARD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lanyard}
programs=$PWD/test/interop/node

node_version() { node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/'; }

# missing lists the packages of Debian that are to be installed.
missing() {
	command -v node >/dev/null || echo nodejs
	command -v npm >/dev/null || echo npm
	command -v curl >/dev/null || echo curl
	command -v busybox >/dev/null || echo busybox-static
	"$cluster" missing-packages
}

# check_machine says early, and on its own, what no package can mend.
check_machine() {
	if [[ $(uname -s) != Linux || $(id -u) -ne 0 ]]; then
		echo "make e2e: pods need Linux and root, for namespaces, mounts and cgroups: run it with sudo -E, or in a virtual machine." >&2
		echo "The clients of other makers alone need neither: LANYARD_E2E_STATE=\$(mktemp -d) go test -tags=e2e ./test/interop" >&2
		exit 1
	fi
}

install_missing() {
	local packages
	mapfile -t packages < <(missing)
	[[ ${#packages[@]} -gt 0 ]] || return 0
	if ! command -v apt-get >/dev/null; then
		echo "make e2e: this is not Debian, so install yourself what its packages ${packages[*]} have, and run it again" >&2
		exit 1
	fi
	echo "== installing ${packages[*]}"
	if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -q --no-install-recommends "${packages[@]}"; } || [[ -n $(missing) ]]; then
		echo "make e2e: $(missing | tr '\n' ' ')missing, and could not be installed with apt-get: the lines above say why" >&2
		exit 1
	fi
}

check_node() {
	local version
	version=$(node_version)
	if [[ -z $version ]] || ((version < oldest_node)); then
		echo "make e2e: node is $(node --version 2>&1 | head -n 1): install Node.js $oldest_node or newer, and run it again" >&2
		exit 1
	fi
}

# install_packages runs npm ci in a folder of its own and renames it, so that two runs at once, or
# one that was interrupted, never leave half a folder behind.
install_packages() {
	local hash folder draft
	hash=$(cat "$programs/package.json" "$programs/package-lock.json" | git hash-object --stdin)
	folder=$cache/node/${hash:0:16}
	if [[ ! -d $folder ]]; then
		echo "== npm ci, once for this lock file, into $folder"
		mkdir -p "$cache/node"
		draft=$(mktemp -d "$cache/node/.draft-XXXXXX")
		cp "$programs"/package.json "$programs"/package-lock.json "$programs"/.npmrc "$draft/"
		if ! (cd "$draft" && timeout 600 npm ci --ignore-scripts --no-progress --cache "$cache/npm"); then
			rm -rf "$draft"
			echo "make e2e: npm ci failed; the lines above say why" >&2
			exit 1
		fi
		chmod 755 "$draft"
		mv -T "$draft" "$folder" 2>/dev/null || rm -rf "$draft" # another run was first
	fi
	# Programs find packages in a folder beside them or above.
	ln -sfn "$folder/node_modules" "$programs/node_modules"
}

check_machine

# What the tests start outlives them if they are killed: this ends it in any case.
state=$(mktemp -d)
cluster=$state/cluster
cleanup() {
	local status=$?
	trap - EXIT
	[[ ! -d $state/processes ]] || "$cluster" down --state "$state" || status=1
	for node in "$state/node" "$state/bare/node"; do
		[[ ! -d $node ]] || "$cluster" remove-node --state "$node" || status=1
	done
	rm -rf "$state"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

go build -o "$cluster" ./hack/cluster/cmd/cluster
install_missing
check_node
install_packages

echo "== binaries of the node and its control plane (built once per machine, then cached)"
"$cluster" build-node
# One package after the other: each has the machine's cores for its own cluster. Within one, tests
# that run beside others mostly wait.
packages=(./test/interop ./test/ingress ./test/node ./test/e2e)
echo "== go test -tags=e2e ${packages[*]} (node $(node --version), npm $(npm --version 2>/dev/null))"
LANYARD_E2E_STATE=$state LANYARD_NODE_TEST_STATE=$state/bare go test -json -tags=e2e -count=1 -p=1 -parallel=6 -timeout="${TEST_TIMEOUT:-15m}" ${TESTFLAGS:-} "${packages[@]}" | go run ./hack/testsum
