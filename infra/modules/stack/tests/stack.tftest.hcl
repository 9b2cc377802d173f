# Tests of a whole environment through its variables and outputs. They need the files that
# `make package` builds, or placeholders.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment         = "test"
  protect             = false
  alarms              = false
  log_retention_days  = 14
  requests_per_second = 10
  burst               = 50
  dist                = "../../../dist"
  glue_script         = "../../../glue/features.py"
  definition          = "../../pipeline.asl.json"
}

run "an_anonymous_api_needs_consent" {
  command         = plan
  expect_failures = [var.allow_anonymous]
}

run "a_key_instead_of_its_hash_is_rejected" {
  command = plan
  variables {
    api_key_hashes = ["my-secret-key"]
  }
  expect_failures = [var.api_key_hashes]
}

run "embedded" {
  variables {
    allow_anonymous = true
  }
  assert {
    condition     = output.lake_bucket == "cartwheel-test-lake-123456789012" && output.artifacts_bucket == "cartwheel-test-artifacts-123456789012" && output.web_bucket == "cartwheel-test-web-123456789012"
    error_message = "Names of buckets consist of environment, purpose and account."
  }
  assert {
    condition     = output.stream_name == "cartwheel-test-events" && output.table_name == "cartwheel-test-users"
    error_message = "Names of the stream and the table consist of environment and purpose."
  }
  assert {
    condition     = jsondecode(output.pipeline_input).endpoint.mode == "embedded"
    error_message = "Executions skip the endpoint's states."
  }
  assert {
    condition     = endswith(jsondecode(output.pipeline_input).training.image, "sagemaker-xgboost:3.0-5")
    error_message = "Training uses the built-in XGBoost 3.0-5."
  }
  assert {
    condition     = endswith(output.ingest_url, "/v1/events")
    error_message = "Events go to the API's function."
  }
  assert {
    condition     = length(output.alarms) == 0 && output.deploy_role_arn == null
    error_message = "Disabled options create no resources."
  }
}

run "every_option_enabled" {
  variables {
    cors_origins         = ["https://shop.example"]
    web_domain           = { name = "www.shop.example", certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1" }
    alarms               = true
    api_key_hashes       = [sha256("a key"), "web@events:write+recommendations:read=${sha256("a shop's key")};publishable=cwp_00112233445566778899aabbccddeeff;signing=cws_${sha256("a secret")}"]
    endpoint_mode        = "sagemaker"
    endpoint_autoscaling = true
    direct_ingest        = true
    github_repository    = "shop/cartwheel"
    state_bucket         = "shop-terraform-state"
  }
  assert {
    condition     = jsondecode(output.pipeline_input).endpoint.mode == "sagemaker" && jsondecode(output.pipeline_input).endpoint.name == "cartwheel-test"
    error_message = "Executions create and update the environment's endpoint."
  }
  assert {
    condition     = endswith(output.ingest_url, "/ingest")
    error_message = "Events can bypass the function."
  }
  assert {
    condition = alltrue(flatten([
      for function in ["api", "consume", "erase", "load", "evaluate", "publish", "notify", "import"] : [
        for what in ["errors", "throttles"] : contains(output.alarms, "cartwheel-test-${function}-${what}")
      ]
    ]))
    error_message = "Each function has alarms."
  }
  assert {
    condition     = contains(output.alarms, "cartwheel-test-endpoint-a-5xx") && contains(output.alarms, "cartwheel-test-endpoint-b-latency")
    error_message = "The endpoint has alarms."
  }
  assert {
    condition     = output.deploy_role_arn != null
    error_message = "There is a role for workflows."
  }
}

run "autoscaling_needs_an_endpoint" {
  command = plan
  variables {
    allow_anonymous      = true
    endpoint_autoscaling = true
  }
  expect_failures = [var.endpoint_autoscaling]
}

run "an_origin_is_not_a_pattern" {
  command = plan
  variables {
    allow_anonymous = true
    cors_origins    = ["https://*.shop.example"]
  }
  expect_failures = [var.cors_origins]
}

run "the_own_page_is_an_origin" {
  command = plan
  variables {
    allow_anonymous = true
    cors_origins    = ["https://shop.example"]
  }
  expect_failures = [var.cors_origins]
}

run "an_anonymous_api_is_throttled" {
  command = plan
  variables {
    allow_anonymous     = true
    requests_per_second = 500
    burst               = 1000
  }
  expect_failures = [var.requests_per_second]
}

run "without_a_web_app" {
  variables {
    allow_anonymous = true
    web             = false
    cors_origins    = ["https://shop.example"]
  }
  assert {
    condition     = output.web_url == null && output.distribution_id == null && output.api_url != null
    error_message = "A new account, which may not create distributions, has everything else."
  }
}

run "names_fit_every_service" {
  command = plan
  variables {
    allow_anonymous = true
    name            = "Cartwheel_Shop"
  }
  expect_failures = [var.name]
}

run "a_repository_has_both_ids_or_none" {
  command = plan
  variables {
    allow_anonymous   = true
    github_repository = "shop@1001/cartwheel"
    state_bucket      = "shop-terraform-state"
  }
  expect_failures = [var.github_repository]
}

run "workflows_need_the_state" {
  command = plan
  variables {
    allow_anonymous   = true
    github_repository = "shop/cartwheel"
  }
  expect_failures = [var.state_bucket]
}
