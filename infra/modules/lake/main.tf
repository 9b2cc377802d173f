# The lake, and beside it what jobs are made of. No rule here expires by age what a
# release may name: feature sets, models, and the archives that endpoints load again.

locals {
  # All but releases/: which release served when stays known for good.
  overwritten = [
    "events/", "impressions/", "imports/", "orders/", "order_products/", "products/",
    "features/", "models/", "training/", "errors/",
  ]
}

module "lake" {
  source                 = "../bucket"
  name                   = "${var.prefix}-lake-${var.account_id}"
  force_destroy          = !var.protect
  kms_key_arn            = var.kms_key_arn
  expire_days            = { "errors/" = 90 }
  expire_noncurrent_days = { for prefix in local.overwritten : prefix => var.protect ? 90 : 7 }
}

module "artifacts" {
  source                 = "../bucket"
  name                   = "${var.prefix}-artifacts-${var.account_id}"
  force_destroy          = !var.protect
  kms_key_arn            = var.kms_key_arn
  expire_days            = { "temporary/" = 7 }
  expire_noncurrent_days = { "" = var.protect ? 90 : 7 }
}
