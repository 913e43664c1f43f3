#!/usr/bin/env bash
# Usage: hack/image.sh NAME
#
# Builds the container image with the first of docker, podman and buildah that
# works here. GO_IMAGE names another builder image, GOPROXY another module proxy.
set -euo pipefail

image=${1:?usage: hack/image.sh NAME}
cd "$(dirname "${BASH_SOURCE[0]}")/.."

arguments=(-t "$image" -f Dockerfile)
[[ -z ${GO_IMAGE:-} ]] || arguments+=(--build-arg "GO_IMAGE=$GO_IMAGE")
[[ -z ${GOPROXY:-} ]] || arguments+=(--build-arg "GOPROXY=$GOPROXY")

found=
for tool in docker podman buildah; do
	command -v "$tool" >/dev/null || continue
	if ! complaint=$("$tool" info 2>&1 >/dev/null); then
		found+="  $tool is installed but does not work: $(head -n 1 <<<"$complaint")"$'\n'
		continue
	fi
	echo "building $image with $tool"
	exec "$tool" build "${arguments[@]}" .
done

{
	echo "make image: no working container builder."
	printf '%s' "${found:-"  none of docker, podman, buildah is installed"$'\n'}"
	echo "Install or start one of them. The programs themselves need none: make build writes them to bin/."
} >&2
exit 1
