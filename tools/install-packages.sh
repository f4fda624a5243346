#!/bin/sh
# Installs the packages of package-lock.json, unless node_modules already holds exactly these.
# Usage: install-packages.sh BUN
# Prints nothing on success, one sentence if something is missing, and npm's output if npm fails.
set -u
bun=$1

fail() {
  echo "crank: $*" >&2
  exit 1
}

command -v node >/dev/null 2>&1 ||
  fail "node is missing: install Node.js 20 or newer (on Debian and Ubuntu: apt-get install nodejs npm)"
major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null)
case $major in
'' | *[!0-9]*) fail "node does not run: 'node --version' should print v20 or newer" ;;
esac
[ "$major" -ge 20 ] || fail "node is too old: $(node --version) is here, and 20 or newer is needed"

# A complete earlier install is kept, because other programs may be running from it.
complete='
  const { readFileSync } = require("node:fs");
  const read = (path) => JSON.parse(readFileSync(path, "utf8"));
  const fits = (entry) =>
    (!entry.os || entry.os.includes(process.platform)) && (!entry.cpu || entry.cpu.includes(process.arch));
  for (const [path, entry] of Object.entries(read("package-lock.json").packages)) {
    if (path === "" || !fits(entry)) continue;
    if (read(`${path}/package.json`).version !== entry.version) process.exit(1);
  }'
if [ -x "$bun" ] && node -e "$complete" 2>/dev/null; then
  exit 0
fi

command -v npm >/dev/null 2>&1 || fail "npm is missing: install it (on Debian and Ubuntu: apt-get install npm)"
said=$(npm ci --include=dev --include=optional --ignore-scripts --no-audit --no-fund --loglevel=error 2>&1) || {
  echo "$said" | grep -v '^npm error *$' | head -n 12 >&2
  fail "npm could not install the packages of package-lock.json (its words are above); is the npm registry within reach?"
}
[ -x "$bun" ] ||
  fail "there is no Bun for this machine ($(uname -sm), ${bun} is missing): Linux with glibc on x86_64 or aarch64 is needed"
"$bun" --version >/dev/null 2>&1 ||
  fail "Bun does not run on this machine ($(uname -sm)): on x86_64 it needs a processor with AVX2"
