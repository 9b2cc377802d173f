"""Tests of scripts/package."""

import hashlib
import shutil
import stat
import time
import zipfile

from harness import Case


class Package(Case):
    FUNCTIONS = (
        "api",
        "consume",
        "erase",
        "load-features",
        "evaluate",
        "publish",
        "notify",
        "import",
    )

    def setUp(self):
        super().setUp()
        shutil.rmtree(self.home / "dist")
        page = self.home / "webapp/dist"
        page.mkdir(parents=True)
        (page / "index.html").write_text("<html>")
        # A stub of the compiler that writes the output files of cargo-lambda and cargo-zigbuild.
        self.executable(
            "cargo",
            f"""#!/bin/sh
echo "$@" >>{self.home}/calls-of-cargo
case $1 in
lambda)
  for f in {" ".join(self.FUNCTIONS)}; do
    mkdir -p {self.home}/target/lambda/$ARCH/$f
    echo "code of $f" >{self.home}/target/lambda/$ARCH/$f/bootstrap
  done
  ;;
zigbuild)
  mkdir -p {self.home}/target/x86_64-unknown-linux-gnu/release
  echo worker >{self.home}/target/x86_64-unknown-linux-gnu/release/cartwheel-worker
  ;;
esac
""",
        )
        # The compiler's stub writes no programs, which infra/check/test_checks.py checks.
        check = self.home / "infra/check/binaries.py"
        check.parent.mkdir(parents=True)
        check.write_text("import sys\nprint('checked', *sys.argv[1:])\n")
        self.executable("rustc", f"#!/bin/sh\necho {self.home}\n")
        for tool in ("cargo-lambda", "cargo-zigbuild"):
            self.executable(tool, "#!/bin/sh\n")
        self.env["ARCH"] = "arm64"

    def package(self, *parts, **env):
        return self.run_script("scripts/package", *parts, **env)

    def digests(self):
        files = sorted(path for path in (self.home / "dist").rglob("*") if path.is_file())
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def test_same_code_gives_the_same_files(self):
        self.assertEqual(self.package(), 0, self.shown)
        first = self.digests()
        self.assertEqual(len(first), 10)
        time.sleep(2.1)  # Times in a zip have a resolution of two seconds.
        self.assertEqual(self.package(), 0, self.shown)
        self.assertEqual(self.digests(), first)

    def test_each_archive_holds_an_executable_bootstrap(self):
        self.package("lambda")
        for function in self.FUNCTIONS:
            with zipfile.ZipFile(self.home / f"dist/lambda/arm64/{function}.zip") as archive:
                (entry,) = archive.infolist()
                self.assertEqual(entry.filename, "bootstrap")
                self.assertEqual(stat.S_IMODE(entry.external_attr >> 16), 0o755)
                self.assertEqual(archive.read(entry), f"code of {function}\n".encode())

    def test_targets(self):
        self.assertEqual(self.package("lambda", "glue", ARCH="x86_64"), 0, self.shown)
        lambdas, worker = (self.home / "calls-of-cargo").read_text().splitlines()
        self.assertIn("--target x86_64-unknown-linux-gnu.2.34 ", lambdas)
        self.assertIn("--target x86_64-unknown-linux-gnu.2.34 ", worker)
        self.assertTrue((self.home / "dist/lambda/x86_64/api.zip").exists())
        self.assertIn("checked dist", self.shown)

    def test_unknown_architecture(self):
        self.assertEqual(self.package(ARCH="riscv"), 1)
        self.assertIn("arm64 or x86_64", self.shown)

    def test_missing_tool(self):
        (self.bin / "cargo-lambda").unlink()
        self.assertEqual(self.package("lambda"), 1)
        self.assertIn("missing: cargo-lambda", self.shown)

    def test_missing_target(self):
        self.executable("rustc", "#!/bin/sh\necho /nowhere\n")
        self.assertEqual(self.package("lambda"), 1)
        self.assertIn("rustup target add aarch64-unknown-linux-gnu", self.shown)
