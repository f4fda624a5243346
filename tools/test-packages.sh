#!/bin/sh
# The Debian packages that tests need besides those of the build: how to detect each, and which test files cannot run
# without it. `make test` and .ci/run use this script.
#
#   test-packages.sh missing          missing packages that tests need: "PACKAGE<TAB>FILES<TAB>FILES OF SINGLE TESTS"
#   test-packages.sh install NAME...  installs these, if this is root on a machine with apt-get; else does nothing
#   test-packages.sh install-all      installs all that are missing, also those that only .ci/run needs
set -u

# PACKAGE|detected by|test files that need it|test files with single tests that need it (needing, test/needs.ts)
# Files are given by the beginning of their paths. A package without files is needed only by .ci/run.
table() {
  cat <<'TABLE'
make|command -v make||
gcc|command -v "${CC:-cc}"||
libc6-dev|libc_is_there||
qemu-user|command -v qemu-riscv64||
gcc-aarch64-linux-gnu|command -v aarch64-linux-gnu-gcc||
gcc-riscv64-linux-gnu|command -v riscv64-linux-gnu-gcc||
libc6-dev-arm64-cross|test -f /usr/aarch64-linux-gnu/lib/libc.a||
libc6-dev-riscv64-cross|test -f /usr/riscv64-linux-gnu/lib/libc.a||
prometheus|command -v promtool||
debootstrap|command -v debootstrap||
rpm|command -v rpmbuild||
skopeo|command -v skopeo||
umoci|command -v umoci||
nodejs|command -v node||
npm|command -v npm||
python3|command -v python3|test/e2e/ test/keeper/conformance/ test/keeper/real/ test/worker/hand-over test/worker/foreign test/commands/program test/commands/completion|test/worker/examples
git|command -v git|test/setup/clean-clone test/setup/missing|
tmux|command -v tmux|test/e2e/terminal/ test/e2e/control/time-zone|
zsh|command -v zsh||test/e2e/terminal/completion
fish|command -v fish||test/e2e/terminal/completion
man-db|command -v man||test/docs/manual test/docs/options-manual
curl|command -v curl|test/docs/five-minutes test/e2e/start/socket-names|
procps|command -v pgrep|test/docs/five-minutes|
systemd|command -v systemd-analyze && command -v systemd-socket-activate|test/e2e/machine/socket-activation test/e2e/machine/systemd test/setup/unit-files|
python3-prometheus-client|/usr/bin/python3 -c 'import prometheus_client'||test/e2e/control/metrics
ruby|command -v ruby||test/worker/examples test/e2e/einhorn/protocol test/e2e/einhorn/workers test/e2e/einhyrningsins/start
golang-go|command -v go||test/worker/examples
clang|command -v clang||
libclang-rt-dev|fuzzer_is_there||
nginx|server_is_there nginx||
haproxy|server_is_there haproxy||
lighttpd|server_is_there lighttpd||
gunicorn|server_is_there gunicorn||
puma|server_is_there puma||
ruby-sd-notify|ruby -e 'require "sd_notify"'||
python3-uvicorn|/usr/bin/python3 -c 'import uvicorn'||
TABLE
}

libc_is_there() { find /usr/lib /usr/lib64 -name libc.a -print -quit 2>/dev/null | grep -q .; }

server_is_there() { PATH=$PATH:/usr/sbin command -v "$1"; }

# The runtime library of sanitizers and fuzzer for the installed clang.
fuzzer_is_there() {
  find "$(clang -print-runtime-dir 2>/dev/null || echo /nowhere)" -name 'libclang_rt.fuzzer*' -print -quit 2>/dev/null | grep -q .
}

is_there() { eval "$1" >/dev/null 2>&1; }

missing() {
  table | while IFS='|' read -r package seen files single; do
    [ -z "$files$single" ] || is_there "$seen" || printf '%s\t%s\t%s\n' "$package" "$files" "$single"
  done
}

missing_names() {
  table | while IFS='|' read -r package seen _; do
    is_there "$seen" || echo "$package"
  done
}

can_install() { [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null && [ "${CRANK_TEST_INSTALL:-yes}" != no ]; }

# Prints in one line what it installs. Packages that could not be installed are named; that is not an error.
install_packages() {
  [ $# -gt 0 ] || return 0
  if ! can_install; then
    # make test reports this itself, with the tests that are left out.
    [ "$command" = install ] || echo "missing, and not installed here: $*"
    return 0
  fi
  echo "installing with apt-get: $*"
  said=$(mktemp) || return 0
  apt-get update -qq >"$said" 2>&1 </dev/null || tail -n 3 "$said"
  for package; do
    shift
    [ "$package" != libclang-rt-dev ] || package=$(fuzzer_package)
    set -- "$@" "$package"
  done
  # If they cannot all be installed together, install them one by one.
  apt_install "$@" || for package; do
    apt_install "$package" || {
      tail -n 3 "$said"
      echo "$package could not be installed (apt-get's words are above); the tests that need it are left out"
    }
  done
  rm -f "$said"
}

# A package of its own since Debian 13. Before that, its name contains the version of the system's clang.
fuzzer_package() {
  if apt-cache show libclang-rt-dev >/dev/null 2>&1; then echo libclang-rt-dev; else
    echo "libclang-rt-$(apt-cache depends clang | sed -n 's/.*Depends: clang-//p' | head -n 1)-dev"
  fi
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >"$said" 2>&1 </dev/null
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
missing) missing ;;
install) install_packages "$@" ;;
# shellcheck disable=SC2046 # names without spaces
install-all) install_packages $(missing_names) ;;
*)
  echo "usage: test-packages.sh missing | install NAME... | install-all" >&2
  exit 2
  ;;
esac
