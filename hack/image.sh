#!/usr/bin/env bash
# Usage: hack/image.sh NAME           build the image with the first of docker, podman and buildah
#                                     that works here; where none does, write the archive
#        hack/image.sh --archive NAME write the archive bin/image.tar, which needs none of them,
#                                     and its bill of materials, bin/image.tar.cdx.json
#
# GO_IMAGE names another builder image, GOPROXY another module proxy.
set -euo pipefail

archive_only=
if [[ ${1:-} == --archive ]]; then
	archive_only=yes
	shift
fi
image=${1:?usage: hack/image.sh [--archive] NAME}
cd "$(dirname "${BASH_SOURCE[0]}")/.."

write_archive() {
	local programs
	programs=$(mktemp -d)
	# shellcheck disable=SC2064 # the folder is known now
	trap "rm -rf '$programs'" EXIT
	hack/build.sh "$programs"
	go run ./hack/image/cmd/image --name "$image" --out bin/image.tar "$programs"
}

if [[ -n $archive_only ]]; then
	write_archive
	exit
fi

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

echo "no working container builder, so the image is written as an archive:"
printf '%s' "${found:-"  none of docker, podman, buildah is installed"$'\n'}"
write_archive
echo "load it where there is an engine: docker load -i bin/image.tar (podman load, ctr images import, skopeo copy)"
