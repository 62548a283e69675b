#!/usr/bin/env bash
# soak.sh MINUTES [BUILD]: hurts a cluster at random for so long, then judges it
# as the cluster tests do. BUILD is a build folder, build/release if left out.
# VARTALAP_SEED repeats a run's choices, VARTALAP_KEEP=1 keeps logs and data.
set -euo pipefail

usage() {
  echo "usage: $0 MINUTES [BUILD]" >&2
  exit 2
}

[[ $# -ge 1 && $# -le 2 && $1 =~ ^[1-9][0-9]*$ ]] || usage
root=$(cd "$(dirname "$0")/../.." && pwd)
program=${2:-$root/build/release}/test/fault/cluster_fault_test
if [[ ! -x $program ]]; then
  echo "$0: no $program: build it with VARTALAP_TESTS=ON, or name the build" \
    "folder" >&2
  exit 2
fi
VARTALAP_SOAK_MINUTES=$1 exec "$program" "[.soak]"
