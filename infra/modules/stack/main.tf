# One environment, in the order of its data flow: lake, stream and store; the jobs and
# functions of the pipeline; the functions of the API; the web app; monitoring.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  prefix        = "${var.name}-${var.environment}"
  account_id    = data.aws_caller_identity.current.account_id
  partition     = data.aws_partition.current.partition
  region        = data.aws_region.current.region
  archives      = "${var.dist}/lambda/${var.architecture}"
  serving       = var.endpoint_mode == "sagemaker"
  endpoint      = local.serving ? "arn:${local.partition}:sagemaker:${local.region}:${local.account_id}:endpoint/${local.prefix}" : ""
  state_machine = "arn:${local.partition}:states:${local.region}:${local.account_id}:stateMachine:${local.prefix}-pipeline"

  # The page of this environment is another origin than its API. CloudFront's own domain is known
  # only after a deployment, so that cors_origins has to list it.
  own_page     = var.web && var.web_domain != null ? ["https://${var.web_domain.name}"] : []
  cors_origins = length(var.cors_origins) == 0 ? [] : distinct(concat(var.cors_origins, local.own_page))

  network = one(module.network[*].subnets)

  # All functions get the same variables.
  function_environment = {
    CARTWHEEL_LAKE         = "s3://${module.lake.bucket}"
    CARTWHEEL_TABLE        = module.store.name
    CARTWHEEL_STREAM       = module.stream.name
    CARTWHEEL_IMPRESSIONS  = module.delivery.names["impressions"]
    CARTWHEEL_DEAD_LETTERS = module.stream.dead_letters_url
    CARTWHEEL_TOPIC        = module.notices.topic_arn
    CARTWHEEL_ENDPOINT     = local.serving ? local.prefix : ""
    CARTWHEEL_TIMEZONE     = var.timezone
    CARTWHEEL_KEY_HASHES   = join(",", var.api_key_hashes)
    CARTWHEEL_CORS_ORIGINS = join(",", local.cors_origins)

    CARTWHEEL_RECOMMEND_DISCOVERY = tostring(var.discovery)
  }

  # What an import writes: parts of tables in folders of their own, and rows that it rejects.
  imported = [for table in ["baskets", "events", "order_products", "orders", "products"] : "${module.lake.arn}/${table}/import=*"]

  # The functions of the pipeline, by their names in its definition, and that of imports.
  functions = {
    import = {
      archive     = "import"
      description = "Imports a shop's files from a folder of the lake."
      memory_mib  = 3008 # The most in a new account.
      timeout     = 900
      scratch_mib = 10240
      statements = [
        {
          Sid      = "Read"
          Effect   = "Allow"
          Action   = ["s3:GetObject"]
          Resource = [for folder in ["imports", "incoming"] : "${module.lake.arn}/${folder}/*"]
        },
        {
          Sid      = "Write"
          Effect   = "Allow"
          Action   = ["s3:PutObject"]
          Resource = concat([for folder in ["imports", "rejects"] : "${module.lake.arn}/${folder}/*"], local.imported)
        },
        {
          # Parts of replaced imports. Versions keep them for a while.
          Sid      = "Remove"
          Effect   = "Allow"
          Action   = ["s3:DeleteObject"]
          Resource = local.imported
        },
      ]
      prefixes = ["baskets/*", "events/*", "imports/*", "incoming/*", "order_products/*", "orders/*", "products/*"]
    }
    load = {
      archive     = "load-features"
      description = "Lists the parts of a feature set, and loads a part into the users table."
      memory_mib  = 1024
      timeout     = 900
      scratch_mib = 2048
      statements = [
        {
          Sid      = "ReadFeatures"
          Effect   = "Allow"
          Action   = ["s3:GetObject"]
          Resource = [for folder in ["erasures", "features"] : "${module.lake.arn}/${folder}/*"]
        },
        {
          Sid      = "WriteUsers"
          Effect   = "Allow"
          Action   = ["dynamodb:BatchWriteItem"]
          Resource = [module.store.arn]
        },
      ]
      prefixes = ["erasures/*", "features/*"]
    }
    evaluate = {
      archive     = "evaluate"
      description = "Ranks products for held-out users with the new and the serving model."
      memory_mib  = 3008
      timeout     = 900
      scratch_mib = 4096
      statements = [
        {
          Sid      = "Read"
          Effect   = "Allow"
          Action   = ["s3:GetObject"]
          Resource = [for folder in ["features", "models", "releases", "training"] : "${module.lake.arn}/${folder}/*"]
        },
        {
          Sid      = "WriteModels"
          Effect   = "Allow"
          Action   = ["s3:PutObject"]
          Resource = ["${module.lake.arn}/models/*"]
        },
      ]
      prefixes = ["features/*", "models/*", "releases/*", "training/*"]
    }
    publish = {
      archive     = "publish"
      description = "Records the decision of the gate and publishes the release."
      memory_mib  = 512
      timeout     = 300
      scratch_mib = 512
      statements = [
        {
          Sid      = "Read"
          Effect   = "Allow"
          Action   = ["s3:GetObject"]
          Resource = [for folder in ["features", "models", "releases"] : "${module.lake.arn}/${folder}/*"]
        },
        {
          Sid      = "Write"
          Effect   = "Allow"
          Action   = ["s3:PutObject"]
          Resource = [for folder in ["models", "releases"] : "${module.lake.arn}/${folder}/*"]
        },
      ]
      prefixes = ["features/*", "models/*", "releases/*"]
    }
    notify = {
      archive     = "notify"
      description = "Sends a notice when an execution ends."
      memory_mib  = 128
      timeout     = 30
      scratch_mib = 512
      statements = [{
        Sid      = "Notices"
        Effect   = "Allow"
        Action   = ["sns:Publish"]
        Resource = [module.notices.topic_arn]
      }]
      prefixes = []
    }
  }
}

module "network" {
  source  = "../network"
  count   = var.vpc == null ? 0 : 1
  prefix  = local.prefix
  region  = local.region
  cidr    = var.vpc.cidr
  zones   = var.vpc.zones
  serving = local.serving
}

module "lake" {
  source      = "../lake"
  prefix      = local.prefix
  account_id  = local.account_id
  protect     = var.protect
  kms_key_arn = var.kms_key_arn
}

module "stream" {
  source          = "../stream"
  prefix          = local.prefix
  shards          = var.stream_shards
  retention_hours = var.stream_retention_hours
  protect         = var.protect
  kms_key_arn     = var.kms_key_arn
}

module "store" {
  source          = "../store"
  prefix          = local.prefix
  protect         = var.protect
  warm_throughput = var.table_warm_throughput
  kms_key_arn     = var.kms_key_arn
}

module "delivery" {
  source             = "../delivery"
  prefix             = local.prefix
  account_id         = local.account_id
  stream_arn         = module.stream.arn
  lake_bucket        = module.lake.bucket
  lake_arn           = module.lake.arn
  buffer_mib         = var.delivery_buffer_mib
  buffer_seconds     = var.delivery_buffer_seconds
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
}

module "notices" {
  source             = "../notices"
  prefix             = local.prefix
  account_id         = local.account_id
  email              = var.alarm_email
  monthly_budget_usd = var.monthly_budget_usd
  kms_key_arn        = var.kms_key_arn
}

module "functions" {
  source             = "../function"
  for_each           = local.functions
  name               = "${local.prefix}-${each.key}"
  description        = each.value.description
  account_id         = local.account_id
  archive            = "${local.archives}/${each.value.archive}.zip"
  architecture       = var.architecture
  memory_mib         = each.value.memory_mib
  timeout_seconds    = each.value.timeout
  scratch_mib        = each.value.scratch_mib
  environment        = local.function_environment
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
  network            = local.network
  # Without permission to list, S3 answers 403 instead of 404 for a missing object. That
  # request has no prefix, hence IfExists.
  statements = concat(each.value.statements, length(each.value.prefixes) == 0 ? [] : [{
    Sid       = "List"
    Effect    = "Allow"
    Action    = ["s3:ListBucket"]
    Resource  = [module.lake.arn]
    Condition = { StringLikeIfExists = { "s3:prefix" = each.value.prefixes } }
  }])
}

module "features" {
  source             = "../features"
  prefix             = local.prefix
  partition          = local.partition
  region             = local.region
  account_id         = local.account_id
  lake_arn           = module.lake.arn
  artifacts_bucket   = module.lake.artifacts_bucket
  artifacts_arn      = module.lake.artifacts_arn
  script             = var.glue_script
  worker             = "${var.dist}/glue/cartwheel-worker"
  max_workers        = var.glue_max_workers
  timezone           = var.timezone
  label              = var.label
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
  connection         = one(module.network[*].connection)
}

module "training" {
  source               = "../sagemaker"
  prefix               = local.prefix
  partition            = local.partition
  region               = local.region
  account_id           = local.account_id
  lake_arn             = module.lake.arn
  endpoint_mode        = var.endpoint_mode
  endpoint_autoscaling = var.endpoint_autoscaling
  log_retention_days   = var.log_retention_days
  kms_key_arn          = var.kms_key_arn
  network              = local.network
}

module "pipeline" {
  source             = "../pipeline"
  prefix             = local.prefix
  partition          = local.partition
  region             = local.region
  account_id         = local.account_id
  definition         = var.definition
  lake_bucket        = module.lake.bucket
  functions          = { for name, function in module.functions : name => { name = function.name, arn = function.arn } if name != "import" }
  features_job       = module.features.job
  features_job_arn   = module.features.job_arn
  max_examples       = var.max_examples
  training_image     = module.training.image
  training_role_arn  = module.training.role_arn
  training_instance  = var.training_instance
  endpoint_mode      = var.endpoint_mode
  endpoint_instance  = var.endpoint_instance
  gate_margin        = var.gate_margin
  gate_min_users     = var.gate_min_users
  hyperparameters    = var.hyperparameters
  search             = var.search
  schedule           = var.schedule
  timezone           = var.timezone
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
  network            = local.network
}

module "realtime" {
  source                 = "../realtime"
  prefix                 = local.prefix
  partition              = local.partition
  region                 = local.region
  account_id             = local.account_id
  architecture           = var.architecture
  archives               = local.archives
  environment            = local.function_environment
  stream_name            = module.stream.name
  stream_arn             = module.stream.arn
  impressions_arn        = module.delivery.arns["impressions"]
  stream_retention_hours = var.stream_retention_hours
  table_arn              = module.store.arn
  lake_arn               = module.lake.arn
  dead_letters_arn       = module.stream.dead_letters_arn
  endpoint_arn           = local.endpoint
  state_machine_arn      = local.state_machine
  cors_origins           = local.cors_origins
  direct_ingest          = var.direct_ingest
  browser_ingest         = var.browser_ingest
  requests_per_second    = var.requests_per_second
  burst                  = var.burst
  api_memory_mib         = var.api_memory_mib
  api_scratch_mib        = var.api_scratch_mib
  api_concurrency        = var.api_concurrency
  consume_concurrency    = var.consume_concurrency
  parallelization        = var.parallelization
  log_retention_days     = var.log_retention_days
  kms_key_arn            = var.kms_key_arn
  network                = local.network
}

module "web" {
  source      = "../web"
  count       = var.web ? 1 : 0
  prefix      = local.prefix
  account_id  = local.account_id
  api_url     = module.realtime.api_url
  image_hosts = var.image_hosts
  domain      = var.web_domain
  web_acl_arn = var.web_acl_arn
  protect     = var.protect
}

module "monitoring" {
  source            = "../monitoring"
  prefix            = local.prefix
  region            = local.region
  alarms            = var.alarms
  topic_arn         = module.notices.topic_arn
  functions         = merge(module.realtime.functions, { for name, function in module.functions : name => function.name })
  deliveries        = module.delivery.names
  freshness_seconds = var.delivery_buffer_seconds + 600
  api_id            = module.realtime.api_id
  stream_name       = module.stream.name
  dead_letters_name = module.stream.dead_letters_name
  table_name        = module.store.name
  state_machine_arn = module.pipeline.arn
  endpoint_name     = local.serving ? local.prefix : ""
}

module "github" {
  source       = "../github-oidc"
  count        = var.github_repository == "" ? 0 : 1
  prefix       = local.prefix
  partition    = local.partition
  region       = local.region
  account_id   = local.account_id
  repository   = var.github_repository
  environment  = var.environment
  provider_arn = var.github_provider_arn
  state_bucket = var.state_bucket
  vpc          = var.vpc != null
}
