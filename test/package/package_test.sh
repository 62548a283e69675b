#!/usr/bin/env bash
# Makes the Debian package and looks at what is in it.
#   package_test.sh CPACK BUILD-FOLDER VERSION
set -euo pipefail
cpack=$1
build=$2
version=$3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

# has TEXT-FILE PATTERN... each of them matches a line.
has() {
  local file=$1 pattern
  shift
  for pattern in "$@"; do
    grep -qE -- "$pattern" "$file" || {
      cat "$file" >&2
      fail "nothing in $(basename "$file") is like: $pattern"
    }
  done
}

(cd "$build" && "$cpack" -G DEB -B "$scratch/cpack") >"$scratch/log" 2>&1 || {
  cat "$scratch/log" >&2
  fail "cpack"
}
package=$(echo "$scratch"/cpack/vartalap_"$version"_*.deb)
[ -f "$package" ] || fail "there is no package of version $version"

dpkg-deb -c "$package" >"$scratch/content"
has "$scratch/content" \
  '^-rwxr-xr-x root/root .* \./usr/bin/vartalap$' \
  '^-rw-r--r-- root/root .* \./etc/vartalap/cluster\.toml$' \
  '^-rw-r--r-- root/root .* \./usr/lib/systemd/system/vartalap\.service$' \
  ' \./usr/share/vartalap/web/index\.html$' \
  ' \./usr/share/vartalap/web/sdk/' \
  ' \./usr/share/vartalap/(alerts\.yml|dashboard\.json)$' \
  ' \./usr/share/doc/vartalap/copyright$'
if grep -E ' \./(usr/(include|local)|root|home|tmp)' "$scratch/content"; then
  fail "these do not belong into it"
fi

dpkg-deb -I "$package" >"$scratch/fields"
has "$scratch/fields" '^ Package: vartalap$' "^ Version: $version$" \
  '^ Depends: .*adduser' '^ Depends: .*libcaf-core' '^ Depends: .*liblmdb0'

dpkg-deb -R "$package" "$scratch/root"
control=$scratch/root/DEBIAN
[ "$(cat "$control/conffiles")" = /etc/vartalap/cluster.toml ] \
  || fail "conffiles: $(cat "$control/conffiles")"
for script in postinst prerm postrm; do
  [ -x "$control/$script" ] || fail "$script is not executable"
  sh -n "$control/$script" || fail "$script is no shell script"
done

unit=$scratch/root/usr/lib/systemd/system/vartalap.service
has "$unit" '^ExecStart=/usr/bin/vartalap serve' '^ExecStartPre=/usr/bin/' \
  '^User=vartalap$' '^StateDirectory=vartalap$'
if grep -E 'DynamicUser|/usr/local' "$unit"; then
  fail "the unit is not that of the package"
fi

binary=$scratch/root/usr/bin/vartalap
[ "$("$binary" --version)" = "$version" ] || fail "the binary's version"
"$binary" check --config "$scratch/root/etc/vartalap/cluster.toml" \
  >"$scratch/check" 2>/dev/null || fail "check refuses the package's cluster.toml"
has "$scratch/check" ': ok, 1 node \(n1,'
echo "the package is as it should be"
