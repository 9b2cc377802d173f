# Tests of the default configuration. They need the files that `make package` builds, or placeholders.

mock_provider "aws" {
  source = "../../modules/stack/tests/mocks"
}

variables {
  api_key_hashes = [sha256("a key")]
}

run "prod" {
  assert {
    condition     = output.lake_bucket == "cartwheel-prod-lake-123456789012"
    error_message = "Names contain the environment."
  }
  assert {
    condition     = length(output.alarms) == 29
    error_message = "Prod has all alarms except those of the endpoint."
  }
  assert {
    condition = alltrue([
      for name, function in jsondecode(output.pipeline_input).functions : function == "cartwheel-prod-${name}"
    ])
    error_message = "Executions call the functions of their environment."
  }
  assert {
    condition     = jsondecode(output.pipeline_input).lake == "s3://cartwheel-prod-lake-123456789012" && jsondecode(output.pipeline_input).endpoint.mode == "embedded"
    error_message = "Executions use the lake of their environment and create no endpoint."
  }
  assert {
    condition     = startswith(output.web_url, "https://") && startswith(output.api_url, "https://") && endswith(output.ingest_url, "/v1/events")
    error_message = "The outputs contain the URLs of the environment."
  }
}

run "with_an_endpoint" {
  variables {
    endpoint_mode = "sagemaker"
    direct_ingest = true
  }
  assert {
    condition     = jsondecode(output.pipeline_input).endpoint == { mode = "sagemaker", name = "cartwheel-prod", instance = "ml.m5.large" } && endswith(output.ingest_url, "/ingest")
    error_message = "The variables have an effect."
  }
}
