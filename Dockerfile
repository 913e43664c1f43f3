# Builds with docker, podman and buildah alike; `make image` runs it.
# All programs in one image; a Deployment names the one it wants as its command:
# /lanyard-controller, /lanyard-issuer, ...
ARG GO_IMAGE=golang:1.26

FROM ${GO_IMAGE} AS build
WORKDIR /src
# Where modules come from is the environment's choice: --build-arg GOPROXY=...
ARG GOPROXY
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN hack/build.sh /out

FROM scratch
LABEL org.opencontainers.image.title="Lanyard" \
      org.opencontainers.image.description="Access tokens bound to certificates for the workloads of a Kubernetes cluster: controller, issuer, sidecar" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/lanyard-dev/lanyard"
COPY --from=build /out/ /
# A number, so that runAsNonRoot can be checked without /etc/passwd.
USER 65532:65532
