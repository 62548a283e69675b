#!/usr/bin/env bash
# Builds vartalap and runs it.
#   ./run.sh                 builds, then serves cluster.toml and the web client
#   ./run.sh build           only builds: build/release/vartalap
#   ./run.sh load --help     builds, then runs any other command of the binary
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/house.sh
source "$root/deploy/house.sh"

mkdir -p "$root/build"
install_packages build
build release "$root/build/release" -DVARTALAP_TESTS=OFF -- vartalap
binary=$root/build/release/vartalap

case ${1:-} in
  build)
    say "built $binary"
    ;;
  '')
    say "serving $root/cluster.toml; open http://127.0.0.1:8080/ (Ctrl-C ends)"
    cd "$root"
    exec "$binary" serve --config cluster.toml
    ;;
  -h | --help)
    exec "$binary" --help
    ;;
  -*)
    cd "$root"
    exec "$binary" serve --config cluster.toml "$@"
    ;;
  *)
    exec "$binary" "$@"
    ;;
esac
