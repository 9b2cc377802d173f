# Every option enabled.
endpoint_mode        = "sagemaker"
endpoint_autoscaling = true
direct_ingest        = true
browser_ingest       = true
api_key_hashes       = ["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]
cors_origins         = ["https://shop.example"]
image_hosts          = ["https://cdn.shop.example"]
schedule             = "cron(0 3 * * ? *)"
timezone             = "Europe/Berlin"
web_domain           = { name = "shop.example", certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1" }
alarm_email          = "operations@shop.example"
monthly_budget_usd   = 500
github_repository    = "shop@1001/cartwheel@2002"
state_bucket         = "shop-terraform-state"
kms_key_arn          = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000"
vpc                  = { cidr = "10.20.0.0/16", zones = ["us-west-2a", "us-west-2b"] }
