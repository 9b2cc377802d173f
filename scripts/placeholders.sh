# shellcheck shell=bash
# Sourced: the names of the Lambda functions, and placeholders for built files. Bash 3.2.

functions="api consume erase load-features evaluate publish notify import"

placeholders() { # folder: writes dist/ as `make package` does, with placeholders for its files
  local function architecture
  mkdir -p "$1/dist/glue" "$1/dist/web"
  for architecture in arm64 x86_64; do
    mkdir -p "$1/dist/lambda/$architecture"
    for function in $functions; do
      echo "$function" >"$1/dist/lambda/$architecture/$function.zip"
    done
  done
  echo worker >"$1/dist/glue/cartwheel-worker"
}
