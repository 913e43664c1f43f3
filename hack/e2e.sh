#!/usr/bin/env bash
# What `make e2e` runs: clients and verifiers of other makers (test/interop) against Lanyard on a
# real control plane. Installs what they need: Node.js, npm and curl from the system's packages
# where they are missing, which needs root, and the pinned npm packages.
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
}

install_missing() {
	local packages sudo=()
	mapfile -t packages < <(missing)
	[[ ${#packages[@]} -gt 0 ]] || return 0
	echo "== installing ${packages[*]}"
	[[ $(id -u) -eq 0 ]] || sudo=(sudo -n)
	if ! { "${sudo[@]}" apt-get update -q && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -q --no-install-recommends "${packages[@]}"; } || [[ -n $(missing) ]]; then
		echo "make e2e: ${packages[*]} missing, and could not be installed with apt-get: install Node.js $oldest_node or newer with npm, and curl, and run it again" >&2
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

install_missing
check_node
install_packages

# The control plane outlives the test that starts it, if that is killed: this ends it in any case.
state=$(mktemp -d)
cleanup() {
	local status=$?
	trap - EXIT
	[[ ! -d $state/processes ]] || go run ./hack/cluster/cmd/cluster down --state "$state" || status=1
	rm -rf "$state"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "== binaries of the local control plane (built once per machine, then cached)"
go run ./hack/cluster/cmd/cluster build
echo "== go test -tags=e2e ./test/interop (node $(node --version), npm $(npm --version 2>/dev/null))"
LANYARD_E2E_STATE=$state go test -json -tags=e2e -count=1 -timeout="${TEST_TIMEOUT:-15m}" ${TESTFLAGS:-} ./test/interop | go run ./hack/testsum
