// Package image writes container images of static binaries, without a container engine, and the
// bill of materials of such an image.
//
// It owns the format of the archive: an OCI image layout that also holds the manifest.json of
// `docker save`, so that `ctr images import`, `docker load`, `podman load` and `skopeo` all take
// it. It never pulls, pushes or builds anything, and imports nothing else of this module.
package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"
)

// User is who the programs of an image are: a number, so that runAsNonRoot can be checked
// without /etc/passwd.
const User = "65532:65532"

// Options are what an image has beside its binaries.
type Options struct {
	// Entrypoint is what a container runs that names no command; empty: nothing, each names
	// its own.
	Entrypoint []string
	// Labels stand in the configuration, and as annotations on the manifest. The OCI image
	// specification names the usual ones, org.opencontainers.image.…
	Labels map[string]string
}

// Media types of the OCI image specification.
const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar"
)

// descriptor points at a blob.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

// Write writes an image for this machine's architecture: the files of binaries (path in the
// image, in its root folder → path on disk) and nothing else, all owned by root and not writable, run as [User].
// The same files, name and options give the same bytes, whenever and wherever they are written:
// all times are 1970.
//
// name is as users write it, "lanyard:dev"; without a tag it is ":latest".
func Write(w io.Writer, name string, binaries map[string]string, options Options) error {
	layer, err := layerOf(binaries)
	if err != nil {
		return err
	}
	config, err := json.Marshal(map[string]any{
		"created":      epoch().Format(time.RFC3339),
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       containerConfig{User: User, Entrypoint: options.Entrypoint, WorkingDir: "/", Labels: options.Labels},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{digestOf(layer)}},
		"history":      []any{map[string]any{"created": epoch().Format(time.RFC3339), "comment": "static binaries only"}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2,
		"mediaType":     typeManifest,
		"config":        describe(typeConfig, config),
		"layers":        []descriptor{describe(typeLayer, layer)},
		"annotations":   options.Labels,
	})
	if err != nil {
		return err
	}
	return writeLayout(w, qualified(name), layer, config, manifest)
}

type containerConfig struct {
	User       string            `json:"User"`
	Entrypoint []string          `json:"Entrypoint,omitempty"`
	WorkingDir string            `json:"WorkingDir"`
	Labels     map[string]string `json:"Labels,omitempty"`
}

// writeLayout writes the archive around its three blobs.
func writeLayout(w io.Writer, name string, layer, config, manifest []byte) error {
	entry := describe(typeManifest, manifest)
	entry.Platform = &platform{Architecture: runtime.GOARCH, OS: "linux"}
	_, tag, _ := cutTag(name)
	entry.Annotations = map[string]string{"io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": typeIndex, "manifests": []descriptor{entry}})
	if err != nil {
		return err
	}
	saved, err := json.Marshal([]any{map[string]any{
		"Config": blobPath(config), "RepoTags": []string{name}, "Layers": []string{blobPath(layer)},
	}})
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"oci-layout":       []byte(`{"imageLayoutVersion":"1.0.0"}`),
		"index.json":       index,
		"manifest.json":    saved,
		blobPath(config):   config,
		blobPath(layer):    layer,
		blobPath(manifest): manifest,
	}
	archive := tar.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := addFile(archive, name, 0o644, files[name]); err != nil {
			return err
		}
	}
	return archive.Close()
}

// layerOf is the file system of the image.
func layerOf(binaries map[string]string) ([]byte, error) {
	var layer bytes.Buffer
	archive := tar.NewWriter(&layer)
	for _, name := range slices.Sorted(maps.Keys(binaries)) {
		inImage := path.Clean("/" + name)
		if path.Dir(inImage) != "/" || inImage == "/" {
			return nil, fmt.Errorf("image: %q is not a file of the root folder: write /<name>", name)
		}
		if err := static(binaries[name]); err != nil {
			return nil, err
		}
		data, err := os.ReadFile(binaries[name])
		if err != nil {
			return nil, err
		}
		if err := addFile(archive, strings.TrimPrefix(inImage, "/"), 0o555, data); err != nil {
			return nil, err
		}
	}
	err := archive.Close()
	return layer.Bytes(), err
}

func addFile(archive *tar.Writer, name string, mode int64, data []byte) error {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(data)), ModTime: epoch(), Format: tar.FormatUSTAR}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err := archive.Write(data)
	return err
}

// epoch is the time of everything in an image.
func epoch() time.Time { return time.Unix(0, 0).UTC() }

func describe(mediaType string, blob []byte) descriptor {
	return descriptor{MediaType: mediaType, Digest: digestOf(blob), Size: int64(len(blob))}
}

func digestOf(blob []byte) string {
	sum := sha256.Sum256(blob)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func blobPath(blob []byte) string {
	return "blobs/" + strings.Replace(digestOf(blob), ":", "/", 1)
}

// Labels are what every image of Lanyard says of itself.
func Labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       "Lanyard",
		"org.opencontainers.image.description": "Access tokens bound to certificates for the workloads of a Kubernetes cluster: controller, issuer, sidecar",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.source":      "https://github.com/lanyard-dev/lanyard",
	}
}
