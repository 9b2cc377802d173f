"""Tests of scripts/write-settings."""

from harness import Case


class Settings(Case):
    def write(self, tfvars, **env):
        given = {"ENV": "dev", "STATE_BUCKET": "state", "REGION": "eu-west-1", "TFVARS": tfvars, **env}
        self.assertEqual(self.run_script("scripts/write-settings", **given), 0, self.shown)
        return (self.environment / "backend.hcl").read_text()

    def test_the_default_name(self):
        backend = self.write('region = "eu-west-1"\napi_key_hashes = []')
        self.assertIn('key          = "cartwheel-dev/terraform.tfstate"\n', backend)
        self.assertIn('bucket       = "state"\n', backend)
        self.assertIn("api_key_hashes = []\n", (self.environment / "terraform.tfvars").read_text())

    def test_the_state_is_where_the_role_may_write(self):
        backend = self.write('# name = "old"\n  name   = "shop" # ours\nregion = "eu-west-1"')
        self.assertIn('key          = "shop-dev/terraform.tfstate"\n', backend)

    def test_another_region_has_its_own_state(self):
        backend = self.write('region = "eu-west-1"', DEPLOY_REGION="us-west-2")
        self.assertIn('key          = "cartwheel-dev/us-west-2.tfstate"\n', backend)
        self.assertIn('region       = "eu-west-1"\n', backend)
        region = (self.environment / "region.auto.tfvars").read_text()
        self.assertEqual(region, 'region = "us-west-2"\n')
