# shellcheck shell=bash
# Sourced by scripts/deploy: asks whether the account of ENV allows what is about to be made.

# Calls of functions at once: a shard each of a new on-demand stream, the API, the pipeline.
need_concurrency=20

quota_of_jobs() { # SageMaker's quota name: its value, or nothing if it cannot be read
  aws service-quotas list-service-quotas --service-code sagemaker \
    --query "Quotas[?QuotaName=='$1'].Value | [0]" --output text 2>/dev/null || true
}

need_quota() { # SageMaker's quota name, the least that is needed, what to ask for
  local value
  value=$(quota_of_jobs "$1")
  case $value in
    '' | None) say "the quota \"$1\" cannot be read; in a new account it is often 0" ;;
    *) [ "${value%%.*}" -ge "$2" ] || fail "SageMaker's quota \"$1\" is ${value%%.*}, and the pipeline needs $2" \
      "Ask for $3 or more in the console: Service Quotas, Amazon SageMaker. Or set another instance in terraform.tfvars." ;;
  esac
}

preflight() {
  local concurrency
  concurrency=$(aws lambda get-account-settings --query AccountLimit.ConcurrentExecutions --output text) ||
    fail "Lambda's settings of the account cannot be read" "The role needs lambda:GetAccountSettings."
  if [ "$concurrency" -lt "$need_concurrency" ]; then
    say "this account runs $concurrency functions at once, which few shoppers exhaust. Ask for 1,000 in the console:"
    say "Service Quotas, AWS Lambda, Concurrent executions"
  fi
  need_quota "$(setting training_instance) for training job usage" 1 2
  if [ "$(setting endpoint_mode)" = sagemaker ]; then
    # One instance for each variant, and as many anew during an update.
    need_quota "$(setting endpoint_instance) for endpoint usage" 2 4
  fi
}
