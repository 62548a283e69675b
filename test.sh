#!/usr/bin/env bash
# Builds vartalap and runs all tests; ends with ctest's summary.
#   ./test.sh            release build, every test
#   ./test.sh --full     also the sanitizers, clang-tidy and longer fuzzing
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/house.sh
source "$root/deploy/house.sh"

full=no
case ${1:-} in
  '') ;;
  --full) full=yes ;;
  *) die "unknown argument $1: use ./test.sh or ./test.sh --full" ;;
esac

# run_tests DIRECTORY [CTEST-ARGUMENT...]
run_tests() {
  local directory=$1
  shift
  say "testing ${directory#"$root"/}"
  ctest --test-dir "$directory" --output-on-failure --no-tests=error "$@"
}

# The packages of the browser tests, as the lock file names them.
install_browser_packages() {
  local folder=$root/test/browser
  if [ ! -e "$folder/node_modules/.package-lock.json" ] \
    || [ "$folder/package-lock.json" -nt \
      "$folder/node_modules/.package-lock.json" ]; then
    say "installing the packages of the browser tests"
    npm ci --silent --prefix "$folder" \
      || die "npm ci failed in test/browser: check the network"
  fi
}

full_checks() {
  install_packages check
  say "clang-tidy on every source"
  # It cannot read GCC's precompiled headers: commands that use none.
  cmake --preset release -S "$root" -B "$root/build/tidy" \
    -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON >"$root/build/configure.log" 2>&1 \
    || die "cannot configure for clang-tidy: see build/configure.log"
  # Sources include what protoc makes.
  cmake --build "$root/build/tidy" --target vartalap_event_args \
    >>"$root/build/configure.log" 2>&1 \
    || die "cannot build for clang-tidy: see build/configure.log"
  git -C "$root" ls-files -z 'core/*.cpp' 'net/*.cpp' 'storage/*.cpp' \
    'actors/*.cpp' 'runtime/*.cpp' 'load/*.cpp' \
    | (cd "$root" && xargs -0 -P "$(compile_jobs)" -n 4 clang-tidy --quiet \
      -p build/tidy --extra-arg=-Wno-unknown-warning-option) \
    || die "clang-tidy found something: see above"
  say "fuzzing each decoder for 120 s"
  "$root/test/fuzz/run.sh" 120
  build asan "$root/build/asan"
  run_tests "$root/build/asan" -LE browser
  build tsan "$root/build/tsan"
  run_tests "$root/build/tsan"
}

mkdir -p "$root/build"
install_packages build test
build release "$root/build/release" -DVARTALAP_TESTS=ON
install_browser_packages
if [ "$full" = yes ]; then
  full_checks
fi
run_tests "$root/build/release"
