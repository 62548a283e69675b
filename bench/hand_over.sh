#!/usr/bin/env bash
# hand_over.sh [VARTALAP]: how long a node that returns takes until it has its
# mailboxes back, while users of the others are served, and what they notice of
# it. Three nodes, replicas 1, MAILBOXES mailboxes with a message each; one node
# is killed with -9 and started again. Prints the seconds until the node is home
# of all that is its, and all is calm, and the delays before and during. Leaves
# with 1 where that took more than BAR_S seconds or something was lost. Ends only
# what it started.
#
# Settings, in the environment: MAILBOXES (of all nodes), RATE, BAR_S, PORT (the
# first of 9).
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
program=${1:-$root/build/release/vartalap}
mailboxes=${MAILBOXES:-300000}
rate=${RATE:-500}
bar_s=${BAR_S:-60}
port=${PORT:-23200}
dir=$(mktemp -d "${DATA_DIR:-/var/tmp}/vartalap_handover_XXXXXX")
pids=()

finish() {
  for pid in "${pids[@]}"; do
    kill -KILL "$pid" 2>/dev/null || true
  done
  wait 2>/dev/null || true
  rm -rf "$dir"
}
trap finish EXIT

head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$dir/secret"
chmod 600 "$dir/secret"
{
  printf '[cluster]\nname = "handover"\nsecret_file = "secret"\n'
  printf '[replication]\nreplicas = 1\n'
  printf '[limits]\nmessage_rate = 0\nmax_connections_per_address = 0\n'
  for i in 0 1 2; do
    printf '[[node]]\nname = "n%s"\ndata = "n%s"\n' $((i + 1)) $((i + 1))
    printf 'client = "127.0.0.1:%s"\n' $((port + i))
    printf 'admin = "127.0.0.1:%s"\n' $((port + 3 + i))
    printf 'peer = "127.0.0.1:%s"\n' $((port + 6 + i))
  done
} >"$dir/cluster.toml"

# start I: node number I, 0 to 2.
start() {
  "$program" serve --config "$dir/cluster.toml" --node n$(($1 + 1)) \
    >>"$dir/n$(($1 + 1)).log" 2>&1 &
  pids[$1]=$!
}

# seen I FIELD: what node I says of the cluster.
seen() {
  curl -fsS "http://127.0.0.1:$((port + 3 + $1))/cluster" 2>/dev/null | jq -r "$2"
}

# calm: all three say so, and nobody claims what is another's.
calm() {
  for i in 0 1 2; do
    [[ $(seen "$i" '.calm and .claims == 0') == true ]] || return 1
  done
}

wait_calm() {
  until calm; do
    sleep 0.2
  done
}

# pairs SECONDS REPORT: users of the nodes that stay.
pairs() {
  "$program" load --scenario pairs --users 200 --rate "$rate" \
    --duration "$1s" --warmup 1s --url "ws://127.0.0.1:$port" \
    --url "ws://127.0.0.1:$((port + 2))" --json "$2" >"$2.log" 2>&1
}

# fill: a message for each of the users m0, m1, … who never come.
fill() {
  local at batch=500 url="http://127.0.0.1:$port/v1.0/messages?ack=true"
  for ((at = 0; at < mailboxes; at += batch)); do
    jq -n -c --argjson at "$at" --argjson n "$batch" \
      '[range($n) | ($at + .) as $i | {_v: 2.1, id: "f\($i)",
        head: {type: "chat", to: "m\($i)", from: "filler",
               contentType: "text"}, meta: {}, body: {text: "\($i)"}}
        | tostring]' \
      | curl -fsS -o "$dir/answer" -H 'user: filler' \
        -H 'content-type: application/json' --data-binary @- "$url"
    [[ $(jq '.acks | length' "$dir/answer") == "$batch" ]] || return 1
    ! grep -q ERROR "$dir/answer" || { head -c 400 "$dir/answer"; return 1; }
  done
}

for i in 0 1 2; do
  start "$i"
done
wait_calm
fill
wait_calm
pairs 10 "$dir/before.json"

kill -KILL "${pids[1]}"
wait "${pids[1]}" 2>/dev/null || true
until [[ $(seen 0 '.ownerless') == 0 && $(seen 0 '.nodes[1].owns') == 0 ]]; do
  sleep 0.2
done
pairs 30 "$dir/during.json" &
load=$!
sleep 3
begin=$(date +%s.%N)
start 1
until [[ $(seen 1 '.phase') == serving ]]; do
  sleep 0.1
done
served=$(date +%s.%N)
wait_calm
end=$(date +%s.%N)
owns=$(seen 0 '.nodes[1].owns')
wait "$load" || { cat "$dir/during.json.log" >&2; exit 2; }

echo "mailboxes: $mailboxes in all; the node's buckets: $owns of 65536"
jq -n --argjson a "$begin" --argjson b "$served" --argjson c "$end" \
  '{serving_after_s: ($b - $a), handed_over_after_s: ($c - $a)}'
for phase in before during; do
  echo "$phase:"
  jq -c '{confirmed, lost, refused, e2e_us, confirm_us}' \
    "$dir/$phase.json"
done
jq -e '.lost == 0' "$dir/during.json" >/dev/null
jq -n -e --argjson a "$begin" --argjson c "$end" --argjson bar "$bar_s" \
  '$c - $a <= $bar' >/dev/null
