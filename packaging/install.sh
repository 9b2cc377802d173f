#!/bin/sh
# Installs a release of cartwheel for one user, after a check of its SHA-256:
#
#   sh install.sh                      the newest release, into ~/.local
#   VERSION=v1.2.3 PREFIX=/usr/local sh install.sh
#
# PREFIX/lib/cartwheel gets the files, PREFIX/bin/cartwheel a link. RELEASES is the address of the releases;
# the script of a release knows it.
set -eu
RELEASES=${RELEASES:-@RELEASES@}
PREFIX=${PREFIX:-$HOME/.local}
fail() { echo "error: $1" >&2; exit 1; }

case "$(uname -s) $(uname -m)" in
  'Linux x86_64') target=x86_64-unknown-linux-gnu ;;
  'Linux aarch64' | 'Linux arm64') target=aarch64-unknown-linux-gnu ;;
  'Darwin arm64') target=aarch64-apple-darwin ;;
  *) fail "there is no release for $(uname -s) on $(uname -m): build it from source" ;;
esac
case $RELEASES in @*) fail "set RELEASES to the address of the releases" ;; esac
command -v curl >/dev/null || fail "curl is missing; install it"
if [ -z "${VERSION:-}" ]; then
  # The newest release redirects to its tag.
  newest=$(curl -fsSLI -o /dev/null -w '%{url_effective}' "$RELEASES/latest") || fail "$RELEASES/latest does not answer"
  VERSION=${newest##*/}
fi
name=cartwheel-$VERSION-$target
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for file in SHA256SUMS "$name.tar.gz"; do
  curl -fsSL -o "$work/$file" "$RELEASES/download/$VERSION/$file" || fail "$RELEASES/download/$VERSION/$file cannot be read"
done
expected=$(awk -v file="$name.tar.gz" '$2 == file || $2 == "*" file { print $1 }' "$work/SHA256SUMS")
[ -n "$expected" ] || fail "SHA256SUMS does not list $name.tar.gz"
if command -v sha256sum >/dev/null; then
  found=$(sha256sum "$work/$name.tar.gz")
else
  found=$(shasum -a 256 "$work/$name.tar.gz")
fi
[ "${found%% *}" = "$expected" ] || fail "$name.tar.gz has another SHA-256 than SHA256SUMS says: nothing was installed"
tar -C "$work" -xzf "$work/$name.tar.gz"
"$work/$name/cartwheel" --version >/dev/null || fail "the program does not start here: it needs glibc 2.35 or later"
mkdir -p "$PREFIX/bin" "$PREFIX/lib"
rm -rf "$PREFIX/lib/cartwheel.new"
mv "$work/$name" "$PREFIX/lib/cartwheel.new"
rm -rf "$PREFIX/lib/cartwheel"
mv "$PREFIX/lib/cartwheel.new" "$PREFIX/lib/cartwheel"
ln -sf ../lib/cartwheel/cartwheel "$PREFIX/bin/cartwheel"
echo "installed $("$PREFIX/bin/cartwheel" --version) in $PREFIX/bin"
case ":$PATH:" in *":$PREFIX/bin:"*) ;; *) echo "add $PREFIX/bin to PATH" ;; esac
