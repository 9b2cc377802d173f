"""Tests of scripts/deploy-webapp."""

import json
import shutil

from aws import Moto, client
from harness import rule


class Webapp(Moto):
    def setUp(self):
        super().setUp()
        self.web = self.bucket("web_bucket")
        origin = {
            "Id": "o",
            "DomainName": "o.s3.amazonaws.com",
            "S3OriginConfig": {"OriginAccessIdentity": ""},
        }
        config = {
            "CallerReference": "1",
            "Origins": {"Quantity": 1, "Items": [origin]},
            "DefaultCacheBehavior": {
                "TargetOriginId": "o",
                "ViewerProtocolPolicy": "redirect-to-https",
                "MinTTL": 0,
                "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}},
            },
            "Comment": "",
            "Enabled": True,
        }
        made = client("cloudfront").create_distribution(DistributionConfig=config)
        self.outputs["distribution_id"] = made["Distribution"]["Id"]
        # moto's status of a completed invalidation differs from that of AWS, so that waiting fails.
        self.answers(rule("^aws cloudfront wait invalidation-completed "))

    def keys(self):
        listed = client("s3").list_objects_v2(Bucket=self.web)
        return sorted(item["Key"] for item in listed["Contents"])

    def read(self, key):
        found = client("s3").get_object(Bucket=self.web, Key=key)
        return found["CacheControl"], found["ContentType"], found["Body"].read().decode()

    def test_a_release_and_the_next(self):
        self.assertEqual(self.run_script("scripts/deploy-webapp"), 0, self.shown)
        config = '{ "apiBase": "https://a1.execute-api.eu-west-1.amazonaws.com" }\n'
        self.assertEqual(self.read("config.json"), ("no-cache", "application/json", config))
        self.assertEqual(self.read("index.html"), ("no-cache", "text/html", "<html>"))
        self.assertEqual(self.read("favicon.svg")[0], "no-cache")
        forever = "public, max-age=31536000, immutable"
        self.assertEqual(self.read("assets/index-bbbb.css"), (forever, "text/css", "p {}"))
        self.assertEqual(self.read("assets/index-aaaa.js")[0], forever)
        self.assert_in_order(
            "^aws s3 sync dist/web/assets ",
            "^aws s3 cp .*config.json",
            "^aws s3 cp .*index.html",
            "^aws cloudfront create-invalidation .*--paths /favicon.svg /config.json / /index.html",
            "^aws cloudfront wait invalidation-completed",
            "^aws s3 sync .*--delete",
        )
        # Files of the old version only are deleted after its page is replaced.
        (self.home / "dist/web/assets/index-aaaa.js").unlink()
        (self.home / "dist/web/assets/index-cccc.js").write_text("let b")
        (self.home / "dist/web/index.html").write_text("<html >")
        self.assertEqual(self.run_script("scripts/deploy-webapp"), 0, self.shown)
        self.assertEqual(
            self.keys(),
            ["assets/index-bbbb.css", "assets/index-cccc.js", "config.json", "favicon.svg", "index.html"],
        )
        self.assertEqual(self.read("index.html"), ("no-cache", "text/html", "<html >"))
        self.assertEqual(self.read("config.json")[2], config)

    def test_config_only(self):
        shutil.rmtree(self.home / "dist")
        self.assertEqual(self.run_script("scripts/deploy-webapp", "--config-only"), 0, self.shown)
        self.assertEqual(self.keys(), ["config.json"])
        (invalidation,) = self.calls("create-invalidation")
        self.assertIn("--paths /config.json --query", invalidation)

    def test_a_shop_key_is_published(self):
        refused = self.run_script("scripts/deploy-webapp", "--config-only", CARTWHEEL_SHOP_KEY='a"b')
        self.refused(refused, "CARTWHEEL_SHOP_KEY is not an API key", "letters, digits")
        published = self.run_script("scripts/deploy-webapp", "--config-only", CARTWHEEL_SHOP_KEY="cw_01af")
        self.assertEqual(published, 0, self.shown)
        config = json.loads(self.read("config.json")[2])
        self.assertEqual(config["apiKey"], "cw_01af")
        self.assertTrue(config["apiBase"].startswith("https://"), config)

    def test_nothing_built(self):
        (self.home / "dist/web/index.html").unlink()
        self.refused(
            self.run_script("scripts/deploy-webapp"), "does not contain a built web app", "make package"
        )
