# The buckets of the lake and of job artifacts. Uploaded files are the shop's copies of what the import
# has made tables of. No lifecycle rule deletes objects that a release may refer to: feature sets, models, and the archives that endpoints load.

locals {
  # Versions under releases/ are never deleted: they are the history of releases.
  overwritten = [
    "erasures/", "events/", "impressions/", "imports/", "orders/", "order_products/", "products/",
    "baskets/", "features/", "models/", "training/", "errors/", "incoming/", "rejects/", "snapshots/",
  ]
}

module "lake" {
  source                 = "../bucket"
  name                   = "${var.prefix}-lake-${var.account_id}"
  force_destroy          = !var.protect
  kms_key_arn            = var.kms_key_arn
  expire_days            = { "errors/" = 90, "incoming/" = 30 }
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
