#!/bin/sh
# Makes a release: release-steps.sh VERSION. Sets the version, closes the changelog's section, checks, builds the packages, commits
# and tags. Pushes nothing. Changes nothing if something is wrong: the tree, the version, the changelog.
set -eu

fail() {
  echo "release: $*" >&2
  exit 1
}

version=${1:-}
cd "$(dirname "$0")/.."
today=$(date +%F)

case $version in
'') fail "no version given. Call make release VERSION=1.2.3" ;;
*[!0-9.]* | .* | *. | *..* | *.*.*.* ) fail "$version: not a version. Give three numbers, as in 1.2.3" ;;
*.*.*) ;;
*) fail "$version: not a version. Give three numbers, as in 1.2.3" ;;
esac
[ -z "$(git status --porcelain)" ] || fail "the checkout has changes that are not committed. Commit or stash them first"
! git rev-parse -q --verify "refs/tags/v$version" >/dev/null || fail "the tag v$version exists. Choose another version"
now=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)
newest=$(printf '%s\n%s\n' "$now" "$version" | sort -V | tail -n 1)
[ "$newest" = "$version" ] || fail "$version is older than the present version, $now"
entries=$(sed -n '/^## \[Unreleased\]/,/^## \[[0-9]/p' CHANGELOG.md | grep -c '^- ' || true)
[ "$entries" -gt 0 ] || fail "CHANGELOG.md has no entry below [Unreleased]. Say there what has changed"

restore() { git checkout -q -- package.json package-lock.json CHANGELOG.md man; }
trap 'restore' EXIT
# The version is in package.json; the lock file and the manual pages repeat it.
npm version "$version" --no-git-tag-version --allow-same-version --ignore-scripts >/dev/null
sed -i "s/^\(\.TH [^ ]* [0-9] \)\"[^\"]*\" \"crank [^\"]*\"/\1\"$today\" \"crank $version\"/" man/*.[0-9]
sed -i "s/^## \[Unreleased\]\$/## [Unreleased]\n\n## [$version] - $today/" CHANGELOG.md
make check
make packages
git commit -qam "Release $version"
git tag -a "v$version" -m "Crank $version"
trap - EXIT
echo "released $version: the commit and the tag v$version are here, the packages in build/packages. Nothing was pushed."
