# Tests of the modules that compute and serve: roles, functions, the endpoint, the API, the web
# app, the schedule.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix             = "cartwheel-test"
  partition          = "aws"
  region             = "eu-central-1"
  account_id         = "123456789012"
  lake_bucket        = "cartwheel-test-lake-123456789012"
  lake_arn           = "arn:aws:s3:::cartwheel-test-lake-123456789012"
  log_retention_days = 14
  endpoint_mode      = "embedded"
}

run "role" {
  module {
    source = "../role"
  }
  variables {
    name        = "cartwheel-test-role"
    description = "A role."
    service     = "states.amazonaws.com"
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1"
    statements  = [{ Sid = "Read", Effect = "Allow", Action = ["s3:GetObject"], Resource = ["arn:aws:s3:::b/*"] }]
  }
  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012"
    error_message = "The service can assume the role for this account only."
  }
  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.this.policy).Statement : s.Sid] == ["Read", "Key"]
    error_message = "The role may use the key of its data, and has no other additional permissions."
  }
}

run "no_policy_allows_everything" {
  module {
    source = "../github-oidc"
  }
  variables {
    repository   = "shop/cartwheel"
    environment  = "prod"
    provider_arn = ""
    state_bucket = "shop-terraform-state"
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.deploy.policy).Statement :
      alltrue([for action in statement.Action : action != "*" && !endswith(action, ":*")])
    ])
    error_message = "No role, not even the one for deployment, has the action *."
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.deploy.policy).Statement :
      !contains(statement.Resource, "*") || contains(["MapEvents", "Unnamed"], statement.Sid)
    ])
    error_message = "Only actions that support no resource are allowed on *."
  }
  assert {
    condition     = jsondecode(aws_iam_role.deploy.assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == ["repo:shop/cartwheel:environment:prod"]
    error_message = "Only one environment of one repository can assume the role."
  }
  assert {
    condition     = length(aws_iam_role_policy.deploy.policy) < 10240
    error_message = "An inline policy may have up to 10,240 characters."
  }
}

run "a_repository_with_ids" {
  module {
    source = "../github-oidc"
  }
  variables {
    repository   = "shop@1001/cartwheel@2002"
    environment  = "prod"
    provider_arn = ""
    state_bucket = "shop-terraform-state"
  }
  assert {
    condition     = jsondecode(aws_iam_role.deploy.assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == ["repo:shop/cartwheel:environment:prod", "repo:shop@1001/cartwheel@2002:environment:prod"]
    error_message = "Both forms of the subject are accepted, without patterns."
  }
}

run "function" {
  module {
    source = "../function"
  }
  variables {
    name            = "cartwheel-test-notify"
    description     = "A function."
    archive         = "../../../dist/lambda/arm64/notify.zip"
    architecture    = "arm64"
    memory_mib      = 128
    timeout_seconds = 30
    environment     = {}
    statements      = [{ Sid = "Notices", Effect = "Allow", Action = ["sns:Publish"], Resource = ["arn:aws:sns:eu-central-1:123456789012:cartwheel-test-notices"] }]
  }
  assert {
    condition     = one(aws_lambda_function.this.logging_config).log_format == "JSON" && one(aws_lambda_function.this.logging_config).log_group == aws_cloudwatch_log_group.this.name
    error_message = "A function logs JSON to its own group."
  }
  assert {
    condition     = aws_cloudwatch_log_group.this.retention_in_days == 14
    error_message = "Its logs expire."
  }
}

run "embedded_has_no_endpoint" {
  module {
    source = "../sagemaker"
  }
  assert {
    condition     = length(aws_appautoscaling_target.variant) + length(aws_appautoscaling_policy.variant) + length(aws_cloudwatch_log_group.endpoint) == 0
    error_message = "In embedded mode there are no resources of an endpoint."
  }
}

run "sagemaker_with_autoscaling" {
  module {
    source = "../sagemaker"
  }
  variables {
    endpoint_mode        = "sagemaker"
    endpoint_autoscaling = true
  }
  assert {
    condition     = [for target in aws_appautoscaling_target.variant : target.resource_id] == ["endpoint/cartwheel-test/variant/a", "endpoint/cartwheel-test/variant/b"]
    error_message = "The variants that the state machine creates scale."
  }
  assert {
    condition     = one(one(aws_appautoscaling_policy.variant["a"].target_tracking_scaling_policy_configuration).predefined_metric_specification).predefined_metric_type == "SageMakerVariantInvocationsPerInstance"
    error_message = "The number of instances depends on invocations."
  }
}

run "sagemaker_before_the_first_execution" {
  module {
    source = "../sagemaker"
  }
  variables {
    endpoint_mode = "sagemaker"
  }
  assert {
    condition     = length(aws_appautoscaling_target.variant) == 0 && length(aws_cloudwatch_log_group.endpoint) == 1
    error_message = "No scaling is registered for an endpoint that does not exist."
  }
}

run "api" {
  module {
    source = "../api"
  }
  variables {
    function_name       = "cartwheel-test-api"
    function_invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/f/invocations"
    cors_origins        = ["https://shop.example"]
    requests_per_second = 500
    burst               = 1000
  }
  assert {
    condition     = one(aws_apigatewayv2_stage.default.default_route_settings).throttling_rate_limit == 500 && one(aws_apigatewayv2_stage.default.default_route_settings).throttling_burst_limit == 1000
    error_message = "The API throttles requests."
  }
  assert {
    condition     = one(aws_apigatewayv2_stage.default.access_log_settings).destination_arn == aws_cloudwatch_log_group.access.arn
    error_message = "The API logs its requests."
  }
  assert {
    condition     = one(aws_apigatewayv2_api.this.cors_configuration).allow_origins == toset(["https://shop.example"]) && one(aws_apigatewayv2_api.this.cors_configuration).allow_credentials != true
    error_message = "Pages of the given origins may call the API, without cookies."
  }
}

run "direct_ingest" {
  module {
    source = "../direct_ingest"
  }
  variables {
    api_id      = "api"
    stream_name = "cartwheel-test-events"
    role_arn    = "arn:aws:iam::123456789012:role/cartwheel-test-ingest"
  }
  assert {
    condition     = aws_apigatewayv2_integration.stream.integration_subtype == "Kinesis-PutRecord" && aws_apigatewayv2_integration.stream.request_parameters.PartitionKey == "$request.body.user_id"
    error_message = "All records of a user go to one shard."
  }
  assert {
    condition     = aws_apigatewayv2_route.ingest.authorization_type == "AWS_IAM"
    error_message = "Without a function that checks keys, requests have to be signed."
  }
}

run "browser_ingest" {
  module {
    source = "../browser_ingest"
  }
  variables {
    region              = "eu-central-1"
    stream_name         = "cartwheel-test-events"
    role_arn            = "arn:aws:iam::123456789012:role/cartwheel-test-ingest"
    requests_per_second = 5
    burst               = 7
  }
  assert {
    condition     = strcontains(jsondecode(aws_api_gateway_rest_api.this.body).paths["/events"].post["x-amazon-apigateway-integration"].requestTemplates["application/json"], "\"StreamName\": \"cartwheel-test-events\", \"PartitionKey\": $user")
    error_message = "All events of a user go to one shard of the stream."
  }
  assert {
    condition     = jsondecode(aws_api_gateway_rest_api.this.body).paths["/events"].options["x-amazon-apigateway-integration"].responses.default.responseParameters["method.response.header.Access-Control-Allow-Origin"] == "'*'"
    error_message = "A page of any origin may ask; its key decides."
  }
  assert {
    condition     = one(aws_api_gateway_usage_plan.pages.throttle_settings).rate_limit == 5 && one(aws_api_gateway_usage_plan.pages.throttle_settings).burst_limit == 7
    error_message = "The key of the pages has the limits of the API."
  }
}

run "web" {
  module {
    source = "../web"
  }
  variables {
    api_url     = "https://api.example"
    image_hosts = ["https://cdn.example"]
    protect     = true
  }
  assert {
    condition = alltrue([
      for policy in aws_cloudfront_response_headers_policy.this :
      strcontains(one(one(policy.security_headers_config).content_security_policy).content_security_policy, "connect-src 'self' https://api.example;")
    ])
    error_message = "The page may contact only its API."
  }
  assert {
    condition = alltrue([
      for policy in aws_cloudfront_response_headers_policy.this :
      strcontains(one(one(policy.security_headers_config).content_security_policy).content_security_policy, "img-src 'self' data: https://cdn.example;")
    ])
    error_message = "The page shows pictures of the named hosts alone."
  }
  assert {
    condition = {
      for what, policy in aws_cloudfront_response_headers_policy.this :
      what => one([for item in one(policy.custom_headers_config).items : item.value if item.header == "Cache-Control"])
    } == { pages = "no-cache", assets = "public, max-age=31536000, immutable" }
    error_message = "Pages and config.json are revalidated; files with content hashes are not."
  }
  assert {
    condition     = aws_cloudfront_origin_access_control.this.signing_behavior == "always"
    error_message = "Only this distribution can read the bucket."
  }
}

run "schedule" {
  module {
    source = "../pipeline"
  }
  variables {
    definition        = "../../pipeline.asl.json"
    functions         = { load = { name = "l", arn = "arn:l" }, evaluate = { name = "e", arn = "arn:e" }, publish = { name = "p", arn = "arn:p" }, notify = { name = "n", arn = "arn:n" } }
    features_job      = "cartwheel-test-features"
    features_job_arn  = "arn:aws:glue:eu-central-1:123456789012:job/cartwheel-test-features"
    max_examples      = 2000000
    training_image    = "image"
    training_role_arn = "arn:aws:iam::123456789012:role/cartwheel-test-training"
    training_instance = "ml.m5.xlarge"
    endpoint_instance = "ml.m5.large"
    gate_margin       = 0
    gate_min_users    = 20
    hyperparameters   = { max_depth = "6" }
    search            = "full"
    schedule          = "cron(0 3 * * ? *)"
    timezone          = "Europe/Berlin"
  }
  assert {
    condition     = strcontains(one(aws_scheduler_schedule.this[0].target).input, "cartwheel-test-<aws.scheduler.execution-id>")
    error_message = "Scheduled executions have unique names with the prefix that the role allows."
  }
  assert {
    condition     = jsondecode(one(aws_scheduler_schedule.this[0].target).input).Input == output.input && jsondecode(output.input).hyperparameters.max_depth == "6" && jsondecode(output.input).training.search == "full"
    error_message = "Scheduled executions have the same input as others."
  }
  assert {
    condition     = aws_sfn_state_machine.this.definition == file("../../pipeline.asl.json")
    error_message = "The definition equals the file that also runs on a single machine."
  }
}

run "network" {
  module {
    source = "../network"
  }
  variables {
    cidr    = "10.20.0.0/16"
    zones   = ["eu-central-1a", "eu-central-1b"]
    serving = true
  }
  assert {
    condition     = [for subnet in aws_subnet.private : subnet.cidr_block] == ["10.20.0.0/20", "10.20.16.0/20"] && alltrue([for subnet in aws_subnet.private : subnet.map_public_ip_on_launch != true])
    error_message = "The network has a private subnet in each zone."
  }
  assert {
    condition     = aws_vpc_endpoint.gateway["s3"].vpc_endpoint_type == "Gateway" && alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled && length(endpoint.subnet_ids) == 2])
    error_message = "Services are reached by endpoints."
  }
  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_egress_rule.gateways : rule.cidr_ipv4 == null])
    error_message = "Nothing is allowed to the internet."
  }
}
