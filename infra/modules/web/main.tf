# The web app: a private bucket behind CloudFront. Files under assets/ have content hashes in
# their names and are cached indefinitely; browsers revalidate all other files on each visit.

locals {
  origin = "web"
  csp = join("; ", [
    "default-src 'self'",
    "connect-src 'self' ${var.api_url}",
    join(" ", concat(["img-src 'self' data:"], var.image_hosts)),
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ])
  caching = {
    pages  = { policy = data.aws_cloudfront_cache_policy.disabled.id, header = "no-cache" }
    assets = { policy = data.aws_cloudfront_cache_policy.optimized.id, header = "public, max-age=31536000, immutable" }
  }
}

data "aws_cloudfront_cache_policy" "disabled" {
  name = "Managed-CachingDisabled"
}

data "aws_cloudfront_cache_policy" "optimized" {
  name = "Managed-CachingOptimized"
}

module "bucket" {
  source                 = "../bucket"
  name                   = "${var.prefix}-web-${var.account_id}"
  force_destroy          = !var.protect
  expire_noncurrent_days = { "" = var.protect ? 90 : 7 }
  statements = [{
    Sid       = "OnlyThisDistribution"
    Effect    = "Allow"
    Principal = { Service = "cloudfront.amazonaws.com" }
    Action    = "s3:GetObject"
    Resource  = "${module.bucket.arn}/*"
    Condition = { StringEquals = { "aws:SourceArn" = aws_cloudfront_distribution.this.arn } }
  }]
}

resource "aws_cloudfront_origin_access_control" "this" {
  name                              = "${var.prefix}-web"
  description                       = "Signs CloudFront's requests to the bucket."
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_function" "pages" {
  name    = "${var.prefix}-pages"
  comment = "Serves index.html for every page of the app."
  runtime = "cloudfront-js-2.0"
  code    = file("${path.module}/site.js")
  publish = true
}

resource "aws_cloudfront_response_headers_policy" "this" {
  #checkov:skip=CKV_AWS_259:It requires includeSubDomains and preload, which would affect other hosts of a shop's domain.
  for_each = local.caching
  name     = "${var.prefix}-${each.key}"
  comment  = "Security headers, and the caching of ${each.key}."

  security_headers_config {
    content_security_policy {
      content_security_policy = local.csp
      override                = true
    }
    content_type_options {
      override = true
    }
    frame_options {
      frame_option = "DENY"
      override     = true
    }
    referrer_policy {
      referrer_policy = "no-referrer"
      override        = true
    }
    strict_transport_security {
      access_control_max_age_sec = 31536000
      include_subdomains         = false
      preload                    = false
      override                   = true
    }
  }

  custom_headers_config {
    items {
      header   = "Cache-Control"
      value    = each.value.header
      override = true
    }
    items {
      header   = "Cross-Origin-Opener-Policy"
      value    = "same-origin"
      override = true
    }
  }
}

resource "aws_cloudfront_distribution" "this" {
  #checkov:skip=CKV_AWS_68:A web ACL has an idle cost, and the files are public and static; web_acl_arn attaches one.
  #checkov:skip=CKV2_AWS_47:No web ACL by default, as above.
  #checkov:skip=CKV_AWS_86:Access logs would contain shoppers' addresses; the distribution's metrics suffice for operation.
  #checkov:skip=CKV_AWS_174:CloudFront's default certificate determines the minimum version; with a domain it is TLS 1.2.
  #checkov:skip=CKV2_AWS_42:web_domain sets a domain and its certificate.
  #checkov:skip=CKV_AWS_310:The origin is one versioned bucket; a replica in another region would have an idle cost.
  #checkov:skip=CKV_AWS_374:Customers of a shop may be in any country.
  comment             = "${var.prefix} web app"
  enabled             = true
  is_ipv6_enabled     = true
  http_version        = "http2and3"
  default_root_object = "index.html"
  price_class         = "PriceClass_100"
  web_acl_id          = var.web_acl_arn
  aliases             = var.domain == null ? [] : [var.domain.name]

  origin {
    origin_id                = local.origin
    domain_name              = module.bucket.domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.this.id
  }

  default_cache_behavior {
    target_origin_id           = local.origin
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = true
    cache_policy_id            = local.caching.pages.policy
    response_headers_policy_id = aws_cloudfront_response_headers_policy.this["pages"].id

    function_association {
      event_type   = "viewer-request"
      function_arn = aws_cloudfront_function.pages.arn
    }
  }

  ordered_cache_behavior {
    path_pattern               = "/assets/*"
    target_origin_id           = local.origin
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = true
    cache_policy_id            = local.caching.assets.policy
    response_headers_policy_id = aws_cloudfront_response_headers_policy.this["assets"].id
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = var.domain == null
    acm_certificate_arn            = var.domain == null ? null : var.domain.certificate_arn
    minimum_protocol_version       = var.domain == null ? "TLSv1" : "TLSv1.2_2021"
    ssl_support_method             = var.domain == null ? null : "sni-only"
  }
}
