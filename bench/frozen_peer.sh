#!/usr/bin/env bash
# frozen_peer.sh [VARTALAP]: how much memory two nodes need for a third one that
# is frozen (SIGSTOP) for a minute under load. Prints a line a second and a
# summary; leaves with 1 where a node grew by more than BAR_MIB, or a confirmed
# message was lost. Ends only what it started.
#
# Settings, in the environment: RATE, FREEZE (seconds), BEFORE (seconds of load
# before it), REPLICAS, USERS, SIZE, BAR_MIB, PORT (the first of 9).
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
program=${1:-$root/build/release/vartalap}
rate=${RATE:-2000}
freeze=${FREEZE:-60}
before=${BEFORE:-15}
after=10
port=${PORT:-23100}
bar_mib=${BAR_MIB:-64}
dir=$(mktemp -d "${DATA_DIR:-/var/tmp}/vartalap_frozen_XXXXXX")
pids=()

finish() {
  for pid in "${pids[@]}"; do
    kill -CONT "$pid" 2>/dev/null || true
    kill -KILL "$pid" 2>/dev/null || true
  done
  wait 2>/dev/null || true
  rm -rf "$dir"
}
trap finish EXIT

# memory PID: resident KiB, and those of them that no file backs.
memory() {
  awk '/^VmRSS/ {rss = $2} /^RssAnon/ {anon = $2} END {print rss, anon}' \
    "/proc/$1/status"
}

head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$dir/secret"
chmod 600 "$dir/secret"
{
  printf '[cluster]\nname = "frozen"\nsecret_file = "secret"\n'
  printf '[replication]\nreplicas = %s\n' "${REPLICAS:-1}"
  printf '[limits]\nmessage_rate = 0\nmax_connections_per_address = 0\n'
  for i in 0 1 2; do
    printf '[[node]]\nname = "n%s"\ndata = "n%s"\n' $((i + 1)) $((i + 1))
    printf 'client = "127.0.0.1:%s"\n' $((port + i))
    printf 'admin = "127.0.0.1:%s"\n' $((port + 3 + i))
    printf 'peer = "127.0.0.1:%s"\n' $((port + 6 + i))
  done
} >"$dir/cluster.toml"
for i in 0 1 2; do
  "$program" serve --config "$dir/cluster.toml" --node n$((i + 1)) \
    >"$dir/n$((i + 1)).log" 2>&1 &
  pids+=($!)
done
for i in 0 1 2; do
  curl -fsS -o "$dir/ready" --retry 50 --retry-delay 1 --retry-all-errors \
    "http://127.0.0.1:$((port + 3 + i))/readyz" 2>"$dir/curl"
done

"$program" load --scenario pairs --users "${USERS:-1000}" --rate "$rate" \
  --size "${SIZE:-200}" --duration $((before + freeze + after))s --warmup 2s \
  --url "ws://127.0.0.1:$port" --url "ws://127.0.0.1:$((port + 1))" \
  --json "$dir/report.json" >"$dir/load.log" 2>&1 &
load=$!
pids+=("$load")
sleep "$before"

read -r rss1 anon1 < <(memory "${pids[0]}")
read -r rss2 anon2 < <(memory "${pids[1]}")
most=(0 0 0 0)
kill -STOP "${pids[2]}"
for ((s = 1; s <= freeze; ++s)); do
  sleep 1
  read -r r1 a1 < <(memory "${pids[0]}")
  read -r r2 a2 < <(memory "${pids[1]}")
  now=($((r1 - rss1)) $((a1 - anon1)) $((r2 - rss2)) $((a2 - anon2)))
  for i in 0 1 2 3; do
    ((now[i] <= most[i])) || most[i]=${now[i]}
  done
  echo "$s s: n1 ${now[0]} KiB (anonymous ${now[1]})," \
    "n2 ${now[2]} KiB (anonymous ${now[3]})"
done
kill -CONT "${pids[2]}"
wait "$load" || { cat "$dir/load.log" >&2; echo "the load failed" >&2; }
pids=("${pids[@]:0:3}")

echo "before: n1 $rss1 KiB, n2 $rss2 KiB; grown at most by:" \
  "n1 ${most[0]} KiB (anonymous ${most[1]})," \
  "n2 ${most[2]} KiB (anonymous ${most[3]})"
jq -c '{messages, confirmed, lost, refused, reordered, duplicated}' \
  "$dir/report.json"
jq -e '.lost == 0' "$dir/report.json" >/dev/null
((most[0] <= bar_mib * 1024 && most[2] <= bar_mib * 1024))
