# shellcheck shell=bash
# Functions that run.sh, test.sh and .ci/run share; read with `source`.
# Expects `root`, the top of the source tree.
: "${root:?set root to the top of the source tree first}"

say() {
  printf '==> %s\n' "$*"
}

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "run this as root, or install sudo: $*"
  fi
}

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# missing_packages GROUP... prints what of deploy/packages.txt is not there.
missing_packages() {
  local group package instead
  while read -r group package instead; do
    case " $* " in *" $group "*) ;; *) continue ;; esac
    if [ -n "$instead" ] && command -v "$instead" >/dev/null; then
      continue
    fi
    is_installed "$package" || printf '%s\n' "$package"
  done < <(grep -v '^#' "$root/deploy/packages.txt")
}

# install_packages GROUP... installs what is missing, and nothing else.
install_packages() {
  command -v apt-get >/dev/null \
    || die "this is no Debian: install what deploy/packages.txt names, then" \
      "build with: cmake --preset release && cmake --build --preset release"
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ "${#missing[@]}" -eq 0 ] && return 0
  say "installing ${missing[*]}"
  as_root apt-get -q -o DPkg::Lock::Timeout=600 update >/dev/null \
    || die "apt-get update failed: check the network and /etc/apt"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
    -o DPkg::Lock::Timeout=600 install --no-install-recommends \
    "${missing[@]}" >/dev/null \
    || die "cannot install; try: apt-get install ${missing[*]}"
  # Only promtool is wanted of this package, not a server on port 9090.
  case " ${missing[*]} " in
    *" prometheus "*)
      if [ -d /run/systemd/system ]; then
        as_root systemctl disable --now --quiet prometheus || true
      fi
      ;;
  esac
}

# compile_jobs prints how many compilers fit: one per core, 1.5 GB each.
compile_jobs() {
  local cores fit
  cores=$(nproc)
  fit=$(awk '/^MemAvailable/ { print int($2 / 1500000) }' /proc/meminfo)
  [ "$fit" -lt 1 ] && fit=1
  [ "$fit" -lt "$cores" ] && cores=$fit
  printf '%s\n' "$cores"
}

# build PRESET DIRECTORY [CMAKE-ARGUMENT...] [-- TARGET...] configures and
# builds; without targets, everything.
build() {
  local preset=$1 directory=$2
  shift 2
  local options=()
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  [ $# -gt 0 ] && shift
  # So that another clone of the tree finds what this one compiled.
  export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
  export CCACHE_SLOPPINESS=pch_defines,time_macros
  say "building $preset${*:+ ($*)} in ${directory#"$root"/}"
  (cd "$root" && cmake --preset "$preset" -B "$directory" "${options[@]}") \
    >"$root/build/configure.log" 2>&1 \
    || { cat "$root/build/configure.log" >&2
      die "cannot configure; a stale build folder is mended by:" \
        "rm -rf $directory"; }
  local quiet=()
  [ -t 1 ] || quiet=(-- --quiet)
  nice cmake --build "$directory" -j "$(compile_jobs)" ${1:+--target "$@"} \
    "${quiet[@]}" \
    || die "the build failed: the first error above is the one to mend"
}
