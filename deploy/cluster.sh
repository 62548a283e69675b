# shellcheck shell=bash
# A cluster of three nodes on this machine, for `./run.sh cluster`; read with
# `source`. Expects `root`, `binary` and house.sh.
: "${root:?set root to the top of the source tree first}"
: "${binary:?set binary to the server first}"

cluster_folder=build/cluster
cluster_names=(n1 n2 n3)
cluster_ready_within=60

# write_cluster makes the secret once, and cluster.toml anew: what this script
# prints must be what the nodes do.
write_cluster() {
  mkdir -p "$cluster_folder"
  if [ ! -s "$cluster_folder/secret" ]; then
    (
      umask 077
      head -c 32 /dev/urandom | base64 -w 0 >"$cluster_folder/secret.new"
    )
    mv "$cluster_folder/secret.new" "$cluster_folder/secret"
  fi
  {
    printf '%s\n' '# Made by ./run.sh cluster at each start: change a copy.' \
      '[cluster]' 'name = "demo"' 'secret_file = "secret"' '' \
      '[replication]' 'replicas = 1'
    local name number
    for name in "${cluster_names[@]}"; do
      number=${name#n}
      printf '\n%s\n' '[[node]]'
      printf '%s = "%s"\n' name "$name" client "127.0.0.1:808$number" \
        admin "127.0.0.1:908$number" peer "127.0.0.1:708$number" data "$name"
    done
  } >"$cluster_folder/cluster.toml"
}

# node_is_ready NAME asks its admin address.
node_is_ready() {
  local status
  {
    exec {asked}<>"/dev/tcp/127.0.0.1/908${1#n}" || return 1
    printf 'GET /readyz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' >&"$asked"
    read -r -t 5 status <&"$asked"
    exec {asked}>&-
  } 2>/dev/null
  [[ $status == *' 200 '* ]]
}

# start_node NAME starts it in the background, its output behind its name. In a
# session of its own, for Ctrl-C reaches whoever shares that of the terminal,
# and nodes end one after the other.
start_node() {
  setsid "$binary" serve --config "$cluster_folder/cluster.toml" --node "$1" \
    > >(trap '' INT TERM && exec sed -u "s/^/$1 | /") 2>&1 </dev/null &
  cluster_pids[$1]=$!
}

# wait_until_ready: every node, or the end of all.
wait_until_ready() {
  local name
  local until=$((SECONDS + cluster_ready_within))
  for name in "${cluster_names[@]}"; do
    until node_is_ready "$name"; do
      kill -0 "${cluster_pids[$name]}" 2>/dev/null \
        || give_up "node $name has ended: see its last lines above"
      [ "$SECONDS" -lt "$until" ] \
        || give_up "node $name is not ready after $cluster_ready_within s:" \
          "ask http://127.0.0.1:908${name#n}/readyz for the reason"
      sleep 0.2
    done
  done
}

give_up() {
  end_nodes
  die "$@"
}

# end_nodes ends them one after the other, so that each finds the next one.
end_nodes() {
  trap 'kill -KILL "${cluster_pids[@]}" 2>/dev/null || true' INT TERM HUP
  local name
  for name in "${cluster_names[@]}"; do
    kill -TERM "${cluster_pids[$name]}" 2>/dev/null || continue
    # A signal ends the wait; the node may still be there.
    while kill -0 "${cluster_pids[$name]}" 2>/dev/null; do
      wait "${cluster_pids[$name]}" || true
    done
  done
}

tell_about_cluster() {
  local name
  say "three nodes on this machine, every message on two of them:"
  for name in "${cluster_names[@]}"; do
    printf '    %s  http://127.0.0.1:808%s/?user=alice  (pid %s)\n' \
      "$name" "${name#n}" "${cluster_pids[$name]}"
  done
  say "kill one:         kill -9 ${cluster_pids[n1]}"
  say "start it again:   ./run.sh cluster n1        (in another terminal)"
  say "look at it:       ${binary#"$root/"} cluster status" \
    "--config $cluster_folder/cluster.toml"
  say "Ctrl-C ends all, one after the other; a second one at once"
}

# watch_nodes tells of each that ends, until all have or somebody ends it.
watch_nodes() {
  local ended name status
  local -A left=()
  for name in "${cluster_names[@]}"; do
    left[${cluster_pids[$name]}]=$name
  done
  while [ "${#left[@]}" -gt 0 ]; do
    status=0
    ended=
    wait -n -p ended "${!left[@]}" || status=$?
    [ -n "$ended" ] || continue
    say "${left[$ended]} has ended ($status); start it again in another" \
      "terminal with: ./run.sh cluster ${left[$ended]}"
    unset "left[$ended]"
  done
  say "all nodes have ended; their data stays in $cluster_folder"
}

# run_cluster serves all nodes in this terminal until Ctrl-C.
run_cluster() {
  local -A cluster_pids=()
  local name
  write_cluster
  for name in "${cluster_names[@]}"; do
    node_is_ready "$name" \
      && die "port 908${name#n} is taken, perhaps by a cluster that runs:" \
        "end it with Ctrl-C in its terminal"
    : # so that a port that is free is no failure
  done
  trap 'say "ending"; end_nodes; exit 0' INT TERM HUP
  for name in "${cluster_names[@]}"; do
    start_node "$name"
  done
  wait_until_ready
  tell_about_cluster
  watch_nodes
}

# run_one_node NAME serves one node in the foreground.
run_one_node() {
  case " ${cluster_names[*]} " in
    *" $1 "*) ;;
    *) die "there is no node $1: use one of ${cluster_names[*]}" ;;
  esac
  [ -e "$cluster_folder/cluster.toml" ] \
    || die "there is no cluster yet: start one with ./run.sh cluster"
  say "serving $1; open http://127.0.0.1:808${1#n}/ (Ctrl-C ends)"
  exec "$binary" serve --config "$cluster_folder/cluster.toml" --node "$1"
}
