# shellcheck shell=bash
# Sourced by what works on AWS: the environment ENV, its Terraform directory and
# outputs, and the tools, each with what to do when it is missing. Bash 3.2.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
ENV=${ENV:-dev}
dir=infra/environments/$ENV
# The AWS CLI of the system first; PyPI's, for those who have none.
PATH=$PATH:$PWD/.venv-aws/bin
export AWS_PAGER='' TF_IN_AUTOMATION=1 TF_INPUT=0
# What `make package` built the functions for.
[ -z "${ARCH:-}" ] || export TF_VAR_architecture=$ARCH

say() { echo "== $*" >&2; }

fail() { # what is wrong, what to do about it
  echo "error: $1" >&2
  [ $# -lt 2 ] || echo "       $2" >&2
  exit 1
}

need_environment() {
  [ -d "$dir" ] || fail "there is no environment '$ENV' in infra/environments" \
    "Set ENV to one of: $(cd infra/environments && echo *)"
  command -v terraform >/dev/null || fail "terraform is missing" \
    "Install Terraform 1.11 or later: https://developer.hashicorp.com/terraform/install"
  command -v aws >/dev/null || fail "the AWS CLI is missing" \
    "Install version 2 of it, or: make .venv-aws/.installed"
  local who
  who=$(aws sts get-caller-identity --query '[Account, Arn]' --output text 2>&1) ||
    fail "AWS knows no valid credentials: $(echo "$who" | tail -n 1)" \
      "Sign in (aws sso login, aws login or aws configure) and set AWS_PROFILE if it is not the default."
  account=${who%%$'\t'*} # `--output text` puts a tab between the two.
  say "$ENV in account $account as ${who#*$'\t'}"
  [ -f "$dir/backend.hcl" ] || fail "$dir/backend.hcl is missing: where Terraform keeps its state" \
    "Copy backend.hcl.example beside it and name your state bucket; docs/deploy.md makes one."
}

initialise() { # whether to look at the providers and the backend again: always|once
  [ "$1" = once ] && [ -d "$dir/.terraform" ] && return
  terraform -chdir="$dir" init -input=false -backend-config=backend.hcl >&2 ||
    fail "terraform init failed in $dir" "Does the bucket in $dir/backend.hcl exist, and may you read it?"
}

read_outputs() { # of the environment, as the last change left them
  outputs=$(terraform -chdir="$dir" output -json) || fail "the state of $ENV cannot be read"
}

known() { # an output's name: its value, or nothing while nothing is deployed
  echo "$outputs" | python3 -c 'import json, sys
print((json.load(sys.stdin).get(sys.argv[1]) or {}).get("value") or "")' "$1"
}

output() { # an output's name
  local value
  value=$(known "$1")
  [ -n "$value" ] || fail "$ENV has no output '$1' yet" "Deploy it first: make deploy ENV=$ENV"
  echo "$value"
}

setting() { # name of a variable of the environment, as Terraform sees it
  echo "var.$1" | terraform -chdir="$dir" console 2>/dev/null | tr -d '"' ||
    fail "$dir does not say its $1"
}

use_region() { # the CLI then asks where the environment is, whatever its own default
  export AWS_REGION=$1 AWS_DEFAULT_REGION=$1
}
