#!/bin/sh
# Fuzzes each decoder for some seconds: test/fuzz/run.sh [SECONDS [TARGET...]]
# What makes one fail is left in build/fuzz/crashes/; put it into the target's
# corpus together with the mend.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-15}
[ $# -gt 0 ] && shift
# shellcheck disable=SC2046 # names of folders, without blanks
[ $# -gt 0 ] || set -- $(ls test/fuzz/corpus)
build=build/fuzz

cmake --preset fuzz >/dev/null
for target in "$@"; do
  cmake --build "$build" --target "fuzz_$target"
done
for target in "$@"; do
  mkdir -p "$build/crashes" "$build/found/$target"
  # New inputs go to the first folder; the corpus of the project is only read.
  "$build/test/fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=4096 \
    -timeout=5 -rss_limit_mb=1024 -malloc_limit_mb=512 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="$build/crashes/$target-" \
    "$build/found/$target" "test/fuzz/corpus/$target"
done
