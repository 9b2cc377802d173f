# What this environment is by default. Needs what `make package` builds, or files of those names.

mock_provider "aws" {
  source = "../../modules/stack/tests/mocks"
}

variables {
  api_key_hashes = [sha256("a key")]
}

run "dev" {
  assert {
    condition     = output.lake_bucket == "cartwheel-dev-lake-123456789012"
    error_message = "Names carry the environment."
  }
  assert {
    condition     = length(output.alarms) == 0
    error_message = "Dev has no alarm that bills."
  }
  assert {
    condition = alltrue([
      for name, function in jsondecode(output.pipeline_input).functions : function == "cartwheel-dev-${name}"
    ])
    error_message = "A run calls the functions of its own environment."
  }
  assert {
    condition     = jsondecode(output.pipeline_input).lake == "s3://cartwheel-dev-lake-123456789012" && jsondecode(output.pipeline_input).endpoint.mode == "embedded"
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
    condition     = jsondecode(output.pipeline_input).endpoint == { mode = "sagemaker", name = "cartwheel-dev", instance = "ml.m5.large" } && endswith(output.ingest_url, "/ingest")
    error_message = "The variables reach what they switch."
  }
}
