# cartwheel: `make help` lists the targets. Each does its own set-up.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# In the clone: cargo takes what another clone built for its own, by the files' age.
export CARGO_TARGET_DIR ?= $(CURDIR)/target
DATA ?= demo-data
PORT ?= 8080
PYTHON ?= python3

VENV := .venv/.installed
WEB := webapp/dist/index.html

.PHONY: help demo test test-web lint fmt bench clean setup tools

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: setup ## The whole loop on a synthetic shop; names the page to open
	cargo build --quiet --bin cartwheel
	"$$CARGO_TARGET_DIR"/debug/cartwheel --data-dir $(DATA) demo --listen 127.0.0.1:$(PORT)

test: setup ## Every test, the page in a headless browser included
	cargo test --workspace
	$(MAKE) --no-print-directory test-web

test-web: setup
	cd webapp && npm test
	scripts/test-page

lint: setup ## Formatting, clippy, types of the web app
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cd webapp && npm run check

fmt: ## Format the Rust code
	cargo fmt --all

bench: setup ## Speed, beside peers in the same run
	scripts/bench

clean: ## Remove what was built here
	rm -rf target .venv bench/.venv webapp/node_modules webapp/dist $(DATA)

setup: tools $(VENV) $(WEB)

tools:
	@scripts/check-tools

$(VENV): requirements.txt
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

webapp/node_modules/.installed: webapp/package-lock.json
	cd webapp && npm ci --no-audit --no-fund --loglevel=error
	touch $@

$(WEB): webapp/node_modules/.installed $(shell find webapp/src webapp/public webapp/index.html webapp/*.js -type f 2>/dev/null)
	cd webapp && npm run build
	touch $@
