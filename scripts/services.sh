# Sourced by `test`: the packages of the services that tests use, and an end to what the tests leave running.

services="slurm sge sshd docker swarm podman"

# nothing to do, or not allowed: then the tests say what is missing
install_services() {
  missing=$(missing_packages)
  [ -n "$missing" ] && may_install || return 0
  deny_starts
  apt_install $missing || echo "the tests that need them will say so" >&2
}

missing_packages() {
  for service in $services; do "tests/services/$service" packages; done | tr ' ' '\n' | sort -u | while read -r package; do
    dpkg -s "$package" 2>/dev/null | grep -q '^Status: .* installed' || echo "$package"
  done
}

# Debian starts a daemon when its package is installed, unless this file says 101 (invoke-rc.d(8)). The tests start their
# own, in their own place.
deny_starts() {
  denied=
  [ ! -e /usr/sbin/policy-rc.d ] || return 0
  denied=yes
  printf '#!/bin/sh\nexit 101\n' | $as_root tee /usr/sbin/policy-rc.d >/dev/null
  $as_root chmod +x /usr/sbin/policy-rc.d
}

allow_starts() { [ -z "${denied:-}" ] || $as_root rm -f /usr/sbin/policy-rc.d; }

# Tests start a service when they first want it, and stop it. They find them in a directory of this run, so that what a
# killed run left can be stopped, too.
own_services() {
  own=
  [ -z "${CRANKSHAFT_TEST_SERVICES:-}" ] || return 0
  own=$(mktemp -d "${TMPDIR:-/tmp}/crankshaft-services-XXXXXX")
  chmod 755 "$own" # jobs and logins of another user pass through it
  export CRANKSHAFT_TEST_SERVICES="$own"
}

stop_services() {
  [ -n "$own" ] || return 0
  for base in "$own"/gw* "$own"; do
    [ -d "$base" ] || continue
    for service in $services; do
      CRANKSHAFT_TEST_SERVICES=$base "tests/services/$service" down >/dev/null 2>&1 || echo "$service did not stop" >&2
    done
    [ ! -d "$base" ] || rmdir "$base"
  done
}
