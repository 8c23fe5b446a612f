# Chatapp: everything a developer does, one word each. "make help" lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash

# Where images go: REGISTRY/OWNER/NAME:TAG
REGISTRY ?= harbor.pacslab.ca
OWNER    ?= 123456789
TAG      ?= latest
# Namespace of deploy, undeploy and e2e.
NAMESPACE ?= chatapp
# Where Redis keeps its files: pod (its own disk) or persistent (a StorageClass's volumes).
STORAGE ?= pod
# Which tests make e2e runs: TestCluster/rollout, say.
RUN ?= .
# The official image that is re-tagged, as the manifest names it.
REDIS_TAG := 8.0-bookworm

CHAT := images/chat
WEB  := $(CHAT)/web
# The version stamp: the last commit that changed images/, so that the same sources give the same
# binary whatever was committed since. The load lab's runs count while the images stay as they are.
VERSION ?= $(shell git describe --always $$(git log -1 --format=%H -- images) 2>/dev/null || echo unknown)$(shell git status --porcelain -- images 2>/dev/null | grep -q . && echo -dirty)

.PHONY: help
help: ## list the words
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: build ## the chat at http://localhost:30222 on the embedded log; Ctrl-C drains
	@CHAT_LISTEN=$${CHAT_LISTEN:-:30222} exec bin/chat

.PHONY: build
build: bin/chat ## bin/chat, the page embedded

GO_FILES := $(shell find $(CHAT) -path $(WEB)/node_modules -prune -o \( -name '*.go' -o -name '*.lua' -o -name 'go.*' \) -print) $(wildcard $(CHAT)/api/*.yaml)
WEB_FILES := $(shell find $(WEB) \( -name node_modules -o -name dist -o -name e2e -o -name test-results \) -prune -o -type f -print)

bin/chat: $(GO_FILES) $(WEB)/dist/index.html | go
	cd $(CHAT) && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o ../../bin/chat ./cmd/chat

$(WEB)/dist/index.html: $(WEB_FILES) $(WEB)/node_modules/.installed
	cd $(WEB) && npm run --silent build
	@touch $@

$(WEB)/node_modules/.installed: $(WEB)/package-lock.json | node
	cd $(WEB) && npm ci --silent --no-audit --no-fund
	@touch $@

.PHONY: go node
go:
	@command -v go >/dev/null || { echo "make: Go 1.26 or later is needed: https://go.dev/doc/install" >&2; exit 1; }
node:
	@command -v npm >/dev/null || { echo "make: Node.js 20.19 or later with npm is needed: https://nodejs.org/en/download" >&2; exit 1; }

.PHONY: test
test: ## every test; installs what it lacks on Debian and Ubuntu
	@test/run

.PHONY: check
check: build ## vet, staticcheck, types, linters
	cd $(CHAT) && test -z "$$(gofmt -l cmd internal api web/embed.go | tee /dev/stderr)" && go vet ./... && go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	cd images/locust/generator && test -z "$$(gofmt -l . | tee /dev/stderr)" && go vet ./... && go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	cd $(WEB) && npm run --silent check
	loadtest/report/setup
	for dir in images/locust loadtest; do (cd $$dir && $(CURDIR)/.venv/bin/ruff check . && $(CURDIR)/.venv/bin/mypy) || exit 1; done

.PHONY: bench
bench: build ## benchmarks: encode, broadcast, queue, append
	cd $(CHAT) && go test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-against
bench-against: ## the same, in turn with those of another commit: REF=353163b
	test/bench-against $(REF)

.PHONY: house
house: ## draw what uses what into docs/architecture.md
	cd $(CHAT) && go run ./cmd/house ../../docs/architecture.md

.PHONY: images
images: ## docker build each folder of images/
	@for dir in images/*/; do name=$$(basename $$dir); echo "== $$name"; \
		(cd $$dir && docker build --build-arg VERSION=$(VERSION) -t $(REGISTRY)/$(OWNER)/$$name:$(TAG) .) || exit 1; done

.PHONY: loadtest
loadtest: build ## a minute of load: 200 users, 2 pods, Redis, 2 workers; leaves results/
	@loadtest/setup && loadtest/run steady

.PHONY: report
report: ## report.pdf from results/, the code and chatapp.yaml; the documents' figures, too
	@loadtest/report/setup && loadtest/run report build
	@cd test && go test -count=1 -run '^TestFigures$$' ./documents -update >/dev/null

.PHONY: push
push: ## docker push them, and Redis re-tagged beside them
	@for dir in images/*/; do docker push $(REGISTRY)/$(OWNER)/$$(basename $$dir):$(TAG) || exit 1; done
	@docker image inspect redis:$(REDIS_TAG) >/dev/null 2>&1 || docker pull redis:$(REDIS_TAG)
	docker tag redis:$(REDIS_TAG) $(REGISTRY)/$(OWNER)/redis:$(REDIS_TAG)
	docker push $(REGISTRY)/$(OWNER)/redis:$(REDIS_TAG)

# The manifest, with images and storage as set.
MANIFEST_pod        := cat chatapp.yaml
MANIFEST_persistent := kubectl kustomize --load-restrictor=LoadRestrictionsNone docs/persistent
MANIFEST = $(MANIFEST_$(STORAGE)) | sed -e 's|harbor.pacslab.ca/123456789/|$(REGISTRY)/$(OWNER)/|' -e '/image: /s|:latest$$|:$(TAG)|'

# A new one each time: 24 bytes, in hex.
PASSWORD = $$(head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n')

.PHONY: deploy
deploy: ## kubectl apply to NAMESPACE, with passwords of its own; needs the secret regcred there
	@test -n "$(MANIFEST_$(STORAGE))" || { echo "make: STORAGE is pod or persistent, not $(STORAGE)" >&2; exit 1; }
	@kubectl get namespace $(NAMESPACE) >/dev/null 2>&1 || kubectl create namespace $(NAMESPACE)
	@kubectl -n $(NAMESPACE) get secret regcred >/dev/null 2>&1 || echo "make: there is no secret regcred in $(NAMESPACE) yet: images of a private registry will not be pulled" >&2
	@kubectl -n $(NAMESPACE) get secret redis >/dev/null 2>&1 || kubectl -n $(NAMESPACE) create secret generic redis \
		--from-literal=chat-password=$(PASSWORD) --from-literal=system-password=$(PASSWORD)
	$(MANIFEST) | kubectl apply -n $(NAMESPACE) -l 'passwords!=public' -f -

.PHONY: undeploy
undeploy: ## kubectl delete NAMESPACE, with all messages
	kubectl delete namespace $(NAMESPACE) --ignore-not-found

.PHONY: e2e
e2e: ## deploy and break things on the cluster of the current kubectl context
	cd test && E2E=1 REGISTRY=$(REGISTRY) OWNER=$(OWNER) TAG=$(TAG) NAMESPACE=$(NAMESPACE) go test -count=1 -v -timeout 45m -run '$(RUN)' ./cluster
