# What this environment is by default. Needs what `make package` builds, or files of those names.

mock_provider "aws" {
  source = "../../modules/stack/tests/mocks"
}

variables {
  api_key_hashes = [sha256("a key")]
}

run "prod" {
  assert {
    condition     = output.lake_bucket == "cartwheel-prod-lake-123456789012"
    error_message = "Names carry the environment."
  }
  assert {
    condition     = length(output.alarms) == 25
    error_message = "Prod has all alarms that need no endpoint."
  }
  assert {
    condition = alltrue([
      for name, function in jsondecode(output.pipeline_input).functions : function == "cartwheel-prod-${name}"
    ])
    error_message = "A run calls the functions of its own environment."
  }
  assert {
    condition     = jsondecode(output.pipeline_input).lake == "s3://cartwheel-prod-lake-123456789012" && jsondecode(output.pipeline_input).endpoint.mode == "embedded"
    error_message = "A run works on its own lake, and makes no endpoint unasked."
  }
  assert {
    condition     = startswith(output.web_url, "https://") && startswith(output.api_url, "https://") && endswith(output.ingest_url, "/v1/events")
    error_message = "The environment says where it is."
  }
}

run "with_an_endpoint" {
  variables {
    endpoint_mode = "sagemaker"
    direct_ingest = true
  }
  assert {
    condition     = jsondecode(output.pipeline_input).endpoint == { mode = "sagemaker", name = "cartwheel-prod", instance = "ml.m5.large" } && endswith(output.ingest_url, "/ingest")
    error_message = "The variables reach what they switch."
  }
}
