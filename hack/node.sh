#!/usr/bin/env bash
# Usage: hack/node.sh up|down
#
# A whole node to try Lanyard on: `up` starts it, imports the image of this checkout, and leaves
# it running; `down` removes every trace of it. NODE_STATE names another folder for it than
# cluster-node in the cache ($LANYARD_CACHE).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

state=${NODE_STATE:-${LANYARD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lanyard}/cluster-node}
cluster=$(mktemp -d)
trap 'rm -rf "$cluster"' EXIT
go build -o "$cluster/cluster" ./hack/cluster/cmd/cluster

case ${1:-} in
up)
	"$cluster/cluster" node --state "$state"
	hack/image.sh --archive "${IMAGE:-lanyard:dev}"
	"$cluster/cluster" import --state "$state" bin/image.tar
	cat <<-EOF

		The node runs, and goes on running. Its network is its own: nothing of it can be reached from
		outside, nor reaches it. From here, as root:

		  $state/bin/kubectl get pods -A    # kubectl, as administrator
		  $state/bin/in-node COMMAND...     # any command in the node's network: helm, curl, a shell

		The image ${IMAGE:-lanyard:dev} of this checkout is imported; nothing is pulled there. Install Lanyard with it:

		  hack/tools/run helm version >/dev/null    # builds Helm, for which the node's network has no way out
		  $state/bin/kubectl apply -f test/e2e/manifests/platform.yaml    # a CA for servers, as a platform has one
		  $state/bin/in-node hack/tools/run helm install lanyard charts/lanyard --wait \\
		    --namespace lanyard-system --create-namespace --values test/e2e/manifests/values.yaml

		make cluster-down removes it all.
	EOF
	;;
down) "$cluster/cluster" remove-node --state "$state" ;;
*)
	echo "usage: hack/node.sh up|down" >&2
	exit 2
	;;
esac
