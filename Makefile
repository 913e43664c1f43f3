# Everything a developer types. Needs Go, git and make (GNU, 4 or newer); no root.
# Tools are pinned in hack/tools and built once per machine: see hack/tools/run.

MAKEFLAGS += --warn-undefined-variables --no-builtin-rules
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := help

CONTROLLER_GEN := hack/tools/run controller-gen

# What `make test` and `make fuzz` work on, and how long.
PKGS ?= ./...
TESTFLAGS ?=
TEST_TIMEOUT ?= 15m
FUZZTIME ?= 30s

# The name that `make image` gives to the image.
IMAGE ?= lanyard:dev

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z][a-z0-9-]*:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo

##@ Try it

.PHONY: demo demo-down
demo: ## Tell the whole story on a real local control plane, and leave it running
	@echo 'building the demo itself (the first time on a machine this takes about two minutes, without a word)' >&2
	@go run ./hack/demo/cmd/demo

demo-down: ## End what `make demo` left running
	@go run ./hack/demo/cmd/demo down

.PHONY: cluster-node cluster-down
cluster-node: ## Start a whole node that runs pods, with the image of this checkout, and leave it running (Linux, root)
	@IMAGE=$(IMAGE) hack/node.sh up

cluster-down: ## Remove every trace of that node
	@hack/node.sh down

##@ Change it

.PHONY: generate build
generate: ## Regenerate deepcopy, CRDs, apply configurations, RBAC roles, the chart's share of config/, and the references
	rm -rf api/v1alpha1/applyconfiguration config/crd/bases
	$(CONTROLLER_GEN) object paths=./api/v1alpha1
	$(CONTROLLER_GEN) crd paths=./api/v1alpha1 output:crd:dir=config/crd/bases
	$(CONTROLLER_GEN) applyconfiguration paths=./api/v1alpha1
	$(CONTROLLER_GEN) rbac:roleName=lanyard-controller,fileName=controller-role.yaml paths=./controllers/... output:rbac:dir=config/rbac
	$(CONTROLLER_GEN) rbac:roleName=lanyard-issuer,fileName=issuer-role.yaml paths=./issuer/kube/... output:rbac:dir=config/rbac
	go run ./hack/kinds config/crd/bases docs/reference/kinds.md api/v1alpha1 controllers
	go run ./hack/commands docs/reference/kubectl-lanyard.md
	go run ./hack/chart

build: ## Build every program of cmd/ into bin/
	@hack/build.sh bin

##@ Prove it

.PHONY: lint verify test fuzz bench load e2e soak
lint: ## Run the linters: house rules, floors, formatting; the chart and every manifest, at a real API server
	hack/tools/run golangci-lint run
	go run ./hack/manifests

verify: ## Check that generated files, module files and formatting are what they should be
	@hack/verify.sh

# Two packages more at a time than there are cores: many wait for a control plane.
test: ## Run every test, on a real control plane where one is needed (PKGS=./issuer/... narrows)
	@echo "== binaries of the local control plane (built once per machine, then cached)"
	@assets=$$(go run ./hack/cluster/cmd/cluster assets) && \
	echo "== KUBEBUILDER_ASSETS=$$assets go test $(TESTFLAGS) $(PKGS)" && \
	KUBEBUILDER_ASSETS="$$assets" go test -json -p $$(($$(getconf _NPROCESSORS_ONLN) + 2)) -timeout=$(TEST_TIMEOUT) $(TESTFLAGS) $(PKGS) | go run ./hack/testsum

fuzz: ## Fuzz every parser, FUZZTIME (30s) each
	@FUZZTIME=$(FUZZTIME) hack/fuzz.sh

bench: ## Measure tokens per second, and what admission adds, beside their floors; tables, and bench.json
	@missed=0; for each in ./test/bench ./test/bench/admission; do \
	echo "== go run $$each"; go run $$each || missed=1; done; exit $$missed

load: ## Attack the issuer in nine ways, and show what honest clients still get; a table
	go run ./test/load

e2e: ## Run clients of other makers (test/interop) and real pods on a whole node (Linux, root; installs what it needs on Debian)
	@TEST_TIMEOUT=$(TEST_TIMEOUT) TESTFLAGS="$(TESTFLAGS)" hack/e2e.sh

soak: ## Run the disruptions of `make e2e` in full, half an hour of renewals, outages and upgrades under load (Linux, root)
	@TESTFLAGS="$(TESTFLAGS)" hack/soak.sh

##@ Ship it

.PHONY: image image-archive clean
image: ## Build the container image (IMAGE=lanyard:dev) with docker, podman or buildah, and its bill of materials; without them, as image-archive
	@hack/image.sh $(IMAGE)

image-archive: ## Write the container image as an archive, bin/image.tar, with its bill of materials; needs no engine
	@hack/image.sh --archive $(IMAGE)

clean: ## Remove what builds leave in the checkout (the cache outside it stays)
	rm -rf bin bench.json
	@if [[ -d .demo ]]; then echo "left alone: .demo (make demo-down ends the demo)"; fi
