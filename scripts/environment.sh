# shellcheck shell=bash
# Sourced by the scripts that use AWS: selects the environment ENV, reads its Terraform
# outputs, and checks that the tools are installed. Bash 3.2, for macOS.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
ENV=${ENV:-dev}
dir=infra/environments/$ENV
# The system's AWS CLI takes precedence over the one from PyPI.
PATH=$PATH:$PWD/.venv-aws/bin
export AWS_PAGER='' TF_IN_AUTOMATION=1 TF_INPUT=0
# The architecture that `make package` built the functions for.
[ -z "${ARCH:-}" ] || export TF_VAR_architecture=$ARCH

say() { echo "== $*" >&2; }

fail() { # error, remedy
  echo "error: $1" >&2
  [ $# -lt 2 ] || echo "       $2" >&2
  exit 1
}

need_environment() {
  [ -d "$dir" ] || fail "unknown environment '$ENV'" \
    "Set ENV to one of: $(cd infra/environments && echo *)"
  command -v terraform >/dev/null || fail "terraform is missing" \
    "Install Terraform 1.11 or later: https://developer.hashicorp.com/terraform/install"
  command -v aws >/dev/null || fail "the AWS CLI is missing" \
    "Install version 2 of it, or: make .venv-aws/.installed"
  local who
  who=$(aws sts get-caller-identity --query '[Account, Arn]' --output text 2>&1) ||
    fail "no valid AWS credentials: $(echo "$who" | tail -n 1)" \
      "Sign in (aws sso login, aws login or aws configure) and set AWS_PROFILE if the profile is not the default."
  account=${who%%$'\t'*} # `--output text` separates the two by a tab.
  say "$ENV in account $account as ${who#*$'\t'}"
  [ -f "$dir/backend.hcl" ] || fail "$dir/backend.hcl is missing: it names the bucket of the Terraform state" \
    "Copy $dir/backend.hcl.example and enter your bucket (docs/deploy.md creates one)."
}

initialise() { # always, or once: unless the directory is initialised
  [ "$1" = once ] && [ -d "$dir/.terraform" ] && return
  terraform -chdir="$dir" init -input=false -backend-config=backend.hcl >&2 ||
    fail "terraform init failed in $dir" "Check that the bucket in $dir/backend.hcl exists and that you can read it."
}

read_outputs() { # of the last apply
  outputs=$(terraform -chdir="$dir" output -json) || fail "reading the state of $ENV failed"
}

optional_output() { # an output's name: its value, or nothing while it is not deployed
  echo "$outputs" | python3 -c 'import json, sys
print((json.load(sys.stdin).get(sys.argv[1]) or {}).get("value") or "")' "$1"
}

output() { # an output's name: its value
  local value
  value=$(optional_output "$1")
  [ -n "$value" ] || fail "$ENV has no output '$1' yet" "Deploy it first: make deploy ENV=$ENV"
  echo "$value"
}

setting() { # a Terraform variable's name: its value
  echo "var.$1" | terraform -chdir="$dir" console 2>/dev/null | tr -d '"' ||
    fail "reading the variable $1 of $dir failed"
}

use_region() { # for the AWS CLI, in place of its default
  export AWS_REGION=$1 AWS_DEFAULT_REGION=$1
}
