#!/usr/bin/env bash
# Usage: hack/image.sh NAME           build the image with the first of docker, podman and buildah
#                                     that works here; where none does, write the archive
#        hack/image.sh --archive NAME write the archive bin/image.tar, which needs none of them
#
# Both write the bill of materials of what they made, bin/image.cdx.json.
# GO_IMAGE names another builder image, GOPROXY another module proxy.
set -euo pipefail

archive_only=
if [[ ${1:-} == --archive ]]; then
	archive_only=yes
	shift
fi
image=${1:?usage: hack/image.sh [--archive] NAME}
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bill=bin/image.cdx.json
programs=$(mktemp -d)
trap 'rm -rf "$programs"' EXIT

write_archive() {
	hack/build.sh "$programs"
	go run ./hack/image/cmd/image --name "$image" --out bin/image.tar --bill "$bill" "$programs"
}

# write_bill TOOL has the builder write out the files of the image that it made just now, from its cache. The bill is made
# from these: another Go release than the builder image's would make other programs.
write_bill() {
	if ! "$1" build "${arguments[@]}" --output "type=local,dest=$programs" .; then
		echo "make image: $image is built, but $1 cannot write out its files (build --output), so there is no bill of materials: use a newer $1, or make image-archive" >&2
		return 1
	fi
	go run ./hack/image/cmd/image --name "$image" --bill "$bill" "$programs"
}

if [[ -n $archive_only ]]; then
	write_archive
	exit
fi

arguments=(-f Dockerfile)
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
	rm -f "$bill" # which may be another image's
	[[ $tool != buildah ]] || arguments+=(--layers) # the cache, which the others have anyway
	"$tool" build "${arguments[@]}" -t "$image" .
	write_bill "$tool"
	exit
done

echo "no working container builder, so the image is written as an archive:"
printf '%s' "${found:-"  none of docker, podman, buildah is installed"$'\n'}"
write_archive
echo "load it where there is an engine: docker load -i bin/image.tar (podman load, ctr images import, skopeo copy)"
