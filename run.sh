#!/usr/bin/env bash
# Builds vartalap and runs it.
#   ./run.sh                 builds, then serves cluster.toml and the web client
#   ./run.sh cluster         builds, then serves three nodes on this machine
#   ./run.sh cluster n2      serves one of them, after it was killed
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
  cluster)
    case ${2:-} in
      '' | n[0-9]*)
        # shellcheck source=deploy/cluster.sh
        source "$root/deploy/cluster.sh"
        cd "$root"
        if [ $# -gt 1 ]; then run_one_node "$2"; else run_cluster; fi
        ;;
      *)
        exec "$binary" "$@"
        ;;
    esac
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
