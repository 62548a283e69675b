#!/usr/bin/env bash
# Compares vartalap with mosquitto and with a bare forwarder, and prints a
# Markdown table of medians. README.md beside this file says what is measured
# and how.
#
#   RUNS=3 DURATION=10s bench/compare.sh > table.md
#
# Settings, all from the environment:
#   RUNS          how often every measurement is made (3)
#   DURATION      length of one measurement under load (10s)
#   MESSAGES      messages stored for absent recipients, and drained (200000)
#   USERS_MANY    the largest number of users (19000; needs that many files)
#   SERVERS       which to measure ("floor mosquitto vartalap")
#   MEASUREMENTS  which to make (all of those listed in plan() below)
#   VARTALAP_BIN  the vartalap program (build/release/vartalap)
#   BENCH_BIN     folder of floor_server and mqtt_driver (build/release/bench)
#   DATA_DIR      where the servers keep their data; a real disk (/var/tmp)
#   KEEP          keep the raw JSON results in this folder
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
RUNS=${RUNS:-3}
DURATION=${DURATION:-10s}
MESSAGES=${MESSAGES:-200000}
USERS_MANY=${USERS_MANY:-19000}
SERVERS=${SERVERS:-floor mosquitto vartalap}
VARTALAP_BIN=${VARTALAP_BIN:-$root/build/release/vartalap}
BENCH_BIN=${BENCH_BIN:-$root/build/release/bench}
DATA_DIR=${DATA_DIR:-/var/tmp}
MOSQUITTO_BIN=${MOSQUITTO_BIN:-/usr/sbin/mosquitto}
MEASUREMENTS=${MEASUREMENTS:-rate_2000 rate_10000 saturated idle_1000 idle_10000 idle_many many_10000 offline}

work=$(mktemp -d "$DATA_DIR/vartalap-bench.XXXXXX")
results=${KEEP:-$work/results}
server_pid=
server_port=
load_pid=

say() { printf '%s\n' "$*" >&2; }
die() { say "compare.sh: $*"; exit 1; }

# --- processes: only those started here are ended, each by its id -----------

end_process() {
  local pid=$1 i
  kill -TERM "$pid" 2>/dev/null || return 0
  for ((i = 0; i < 100; ++i)); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}

stop_server() {
  [ -z "$server_pid" ] || end_process "$server_pid"
  server_pid=
  rm -rf "$work/data"
}

clean_up() {
  [ -z "$load_pid" ] || end_process "$load_pid"
  stop_server
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A free port below the range from which clients get theirs.
free_port() {
  local i port
  for ((i = 0; i < 100; ++i)); do
    port=$((20000 + RANDOM % 10000))
    listens "$port" || { echo "$port"; return; }
  done
  die "no free port between 20000 and 30000"
}

# --- servers -----------------------------------------------------------------

start_floor() {
  "$BENCH_BIN/floor_server" --port "$server_port" >"$work/server.log" 2>&1 &
}

start_mosquitto() {
  sed -e "s|@PORT@|$server_port|" -e "s|@DATA@|$work/data|" \
    -e "s|@USER@|$(id -un)|" "$here/mosquitto.conf" >"$work/mosquitto.conf"
  "$MOSQUITTO_BIN" -c "$work/mosquitto.conf" >"$work/server.log" 2>&1 &
}

start_vartalap() {
  cat >"$work/cluster.toml" <<TOML
[cluster]
name = "bench"

[[node]]
name = "n1"
client = "127.0.0.1:$server_port"
admin = "127.0.0.1:$(free_port)"
peer = "127.0.0.1:$(free_port)"
data = "$work/data"

[storage]
durability = "strict"

[limits]
message_rate = 0
max_connections_per_address = 0

[auth]
mode = "none"
TOML
  "$VARTALAP_BIN" serve --config "$work/cluster.toml" \
    >"$work/server.log" 2>&1 &
}

# Starts server $1 with nothing stored and waits until it listens.
start_server() {
  local i
  mkdir -p "$work/data"
  server_port=$(free_port)
  "start_$1"
  server_pid=$!
  for ((i = 0; i < 100; ++i)); do
    listens "$server_port" && return
    kill -0 "$server_pid" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 20 "$work/server.log" >&2
  die "$1 does not start"
}

# --- load --------------------------------------------------------------------

# run_load SERVER ARGUMENT...: prints the JSON result of one load, and returns
# the exit status of the load generator.
# The load tester needs to be told that half of the users send to absent ones.
run_load() {
  local server=$1 status=0
  shift
  if [ "$server" = mosquitto ]; then
    "$BENCH_BIN/mqtt_driver" --port "$server_port" --pid "$server_pid" --json \
      "$@" &
  else
    "$VARTALAP_BIN" load --url "ws://127.0.0.1:$server_port" \
      --pid "$server_pid" --json - --senders 500 "$@" &
  fi
  load_pid=$!
  wait "$load_pid" || status=$?
  load_pid=
  return "$status"
}

# measure NAME SERVER ARGUMENT...: one load of the running server, into a file.
measure() {
  local name=$1 server=$2 file
  shift 2
  file=$results/$name.$server.$run.json
  run_load "$server" "$@" >"$file" 2>"$work/load.log" || {
    say "run $run, $name, $server: the load generator reports trouble:"
    tail -n 5 "$work/load.log" "$file" >&2
  }
  jq -e . "$file" >/dev/null 2>&1 || echo '{}' >"$file"
  say "run $run, $name, $server: $(jq -c . "$file")"
}

# plan NAME: the arguments of a measurement.
plan() {
  case $1 in
    rate_2000) echo --scenario pairs --users 1000 --rate 2000 --duration "$DURATION" ;;
    rate_10000) echo --scenario pairs --users 1000 --rate 10000 --duration "$DURATION" ;;
    saturated) echo --scenario pairs --users 1000 --inflight 8 --duration "$DURATION" ;;
    many_10000) echo --scenario pairs --users "$USERS_MANY" --rate 10000 --duration "$DURATION" ;;
    idle_1000) echo --scenario idle --users 1000 --duration 5s ;;
    idle_10000) echo --scenario idle --users 10000 --duration 5s ;;
    idle_many) echo --scenario idle --users "$USERS_MANY" --duration 5s ;;
    offline) echo --scenario offline --users 1000 --inflight 8 --messages "$MESSAGES" --warmup 0s ;;
    *) die "unknown measurement $1" ;;
  esac
}

measure_all() {
  local name server
  for name in $MEASUREMENTS; do
    for server in $SERVERS; do
      # The floor keeps nothing.
      [ "$name.$server" != offline.floor ] || continue
      start_server "$server"
      # shellcheck disable=SC2046 # the words of the plan are arguments
      measure "$name" "$server" --size 200 $(plan "$name")
      stop_server
    done
  done
}

# --- report ------------------------------------------------------------------

# results_of NAME SERVER: the results of all runs; NAME may be a pattern.
results_of() { find "$results" -name "$1.$2.*.json" -exec cat {} +; }

# median NAME SERVER KEY: over the runs; empty when there is none.
median() {
  results_of "$1" "$2" | jq -r "$3 // empty" | sort -g \
    | awk '{ v[NR] = $1 }
           END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# ratio A B: A / B, empty when one is missing.
ratio() {
  [ -n "$1" ] && [ -n "$2" ] || return 0
  awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b }'
}

# missed_rate NAME SERVER: whether a fixed rate was not reached. Such a figure is
# that of an overload, not of the rate.
missed_rate() {
  local rate
  case $1 in
    rate_2000) rate=2000 ;;
    rate_10000 | many_10000) rate=10000 ;;
    *) return 1 ;;
  esac
  awk -v got="$(median "$1" "$2" .throughput)" -v rate="$rate" \
    'BEGIN { exit !(got < 0.98 * rate) }'
}

# row TITLE MEASUREMENT KEY FORMAT: a star marks a rate that was not reached.
row() {
  local server value cells='' ours='' mosquitto='' floor=''
  for server in floor mosquitto vartalap; do
    value=$(median "$2" "$server" "$3")
    case $server in
      floor) floor=$value ;;
      mosquitto) mosquitto=$value ;;
      vartalap) ours=$value ;;
    esac
    # shellcheck disable=SC2059 # the format is one of ours
    [ -z "$value" ] || value=$(printf "$4" "$value")
    [ -z "$value" ] || ! missed_rate "$2" "$server" || value+=' *'
    cells+=" ${value:-–} |"
  done
  [ -n "$ours$mosquitto$floor" ] || return 0
  value=$(ratio "$ours" "$mosquitto")
  cells+=" ${value:-–} |"
  value=$(ratio "$ours" "$floor")
  echo "| $1 |$cells ${value:-–} |"
}

# faults SERVER KEY: the sum over all measurements and runs.
faults() {
  results_of '*' "$1" | jq -s "map(.$2 // 0) | add // 0"
}

print_table() {
  local cpu=.cpu_us_per_message pss=.pss_bytes_per_user server
  echo "| | floor | mosquitto | vartalap | vartalap ÷ mosquitto | vartalap ÷ floor |"
  echo "| --- | ---: | ---: | ---: | ---: | ---: |"
  row "CPU a message at 2,000/s, µs" rate_2000 $cpu %.1f
  row "CPU a message at 10,000/s, µs" rate_10000 $cpu %.1f
  row "CPU a message saturated, µs" saturated $cpu %.1f
  row "messages/s saturated (more is better)" saturated .throughput %.0f
  row "end to end p50 at 2,000/s, µs" rate_2000 .e2e_us.p50 %.0f
  row "end to end p99 at 2,000/s, µs" rate_2000 .e2e_us.p99 %.0f
  row "end to end p99 at 10,000/s, µs" rate_10000 .e2e_us.p99 %.0f
  row "CPU a message at 10,000/s, $USERS_MANY users, µs" many_10000 $cpu %.1f
  row "memory per idle user of 1,000, bytes" idle_1000 $pss %.0f
  row "memory per idle user of 10,000, bytes" idle_10000 $pss %.0f
  row "memory per idle user of $USERS_MANY, bytes" idle_many $pss %.0f
  row "recipient away: confirmed/s (more is better)" offline .throughput %.0f
  row "recipient away: CPU a message, µs" offline $cpu %.1f
  row "drain: messages/s (more is better)" offline .drained_per_second %.0f
  row "drain: CPU a message, µs" offline .cpu_us_per_drained %.1f
  row "load generator's own CPU a message at 10,000/s, µs" rate_10000 .generator_cpu_us_per_message %.1f
  echo
  for server in $SERVERS; do
    echo "- $server: lost $(faults "$server" lost), duplicated $(faults "$server" duplicated), reordered $(faults "$server" reordered), unexpected $(faults "$server" unexpected)"
  done
  echo
  echo "Medians of $RUNS interleaved runs of $DURATION, $(nproc) cores, $(uname -sr), $(filesystem) for the data, commit $(git -C "$root" describe --always --dirty 2>/dev/null || echo unknown), $("$MOSQUITTO_BIN" -h | head -n 1); load average at the start $load_average. A star: the rate was not reached, the figure is that of an overload."
}

filesystem() { stat -f -c %T "$DATA_DIR"; }

check_tools() {
  local tool files
  for tool in jq awk "$BENCH_BIN/floor_server" "$BENCH_BIN/mqtt_driver" "$MOSQUITTO_BIN"; do
    command -v "$tool" >/dev/null || die "$tool is missing; see bench/README.md"
  done
  case $SERVERS in
    *vartalap* | *floor*)
      command -v "$VARTALAP_BIN" >/dev/null \
        || die "$VARTALAP_BIN is missing: build it, or set VARTALAP_BIN" ;;
  esac
  [ "$(filesystem)" != tmpfs ] \
    || say "compare.sh: $DATA_DIR is in memory: syncs cost nothing there; set DATA_DIR"
  ulimit -Sn "$(ulimit -Hn)"
  files=$(ulimit -n)
  [ "$files" = unlimited ] || [ "$files" -gt $((USERS_MANY + 200)) ] \
    || die "the file limit $files is too low for $USERS_MANY users: raise it, or set USERS_MANY"
}

check_tools
mkdir -p "$results"
load_average=$(cut -d ' ' -f 1 /proc/loadavg)
awk -v load="$load_average" 'BEGIN { exit !(load > 0.5) }' \
  && say "compare.sh: the machine is not quiet (load average $load_average): expect wrong figures"
for ((run = 1; run <= RUNS; ++run)); do
  measure_all
done
print_table
