# Sourced by the services beside this file: where their state is, and processes started, found and stopped by pid.
#
# A service sets `service` and `packages` first. Its state is under $home, and goes away with `down`.
# Exit status 69 (sysexits.h: EX_UNAVAILABLE) means: cannot be had on this machine, and the one line says why.

base=${CRANKSHAFT_TEST_SERVICES:-${TMPDIR:-/tmp}/crankshaft-services-$(id -u)}
home=$base/$service
me=$(id -un)
node=$(uname -n)
node=${node%%.*}
PATH=$PATH:/usr/sbin:/sbin

unavailable() {
  echo "$service: $*" >&2
  exit 69
}

failed() {
  echo "$service: $*" >&2
  tail -n 5 "$home"/log/* >&2 2>/dev/null
  exit 1
}

# needed COMMAND…: each must be installed
needed() {
  for command in "$@"; do
    command -v "$command" >/dev/null || unavailable "no $command here; apt-get install $packages"
  done
}

# a state directory of our own that every user may pass through
make_home() {
  umask 022
  mkdir -p "$base" "$home/run" "$home/log"
  [ -O "$base" ] || [ "$me" = root ] || unavailable "$base belongs to somebody else; set CRANKSHAFT_TEST_SERVICES"
}

# ports: the first of eight that nobody listens on, `port`; the same ones for the life of the state directory. Several
# services of a kind can run side by side, each in a state directory of its own.
choose_ports() {
  if [ ! -s "$home/run/port" ]; then
    port=$((20000 + $$ % 1000 * 8))
    while someone_listens; do port=$((port + 8)); done
    echo "$port" >"$home/run/port"
  fi
  read -r port <"$home/run/port"
}

someone_listens() {
  awk -v first="$port" '
    { sub(".*:", "", $2); for (n = 0; n < 8; n++) if (sprintf("%04X", first + n) == $2) taken = 1 }
    END { exit !taken }' /proc/net/tcp /proc/net/tcp6
}

# once COMMAND…: once in the life of the state directory, by the command's first word; again if it failed
once() {
  [ ! -e "$home/run/$1.done" ] || return 0
  "$@"
  : >"$home/run/$1.done"
}

# start NAME USER COMMAND…: in a session of its own, unless it runs already
start() {
  name=$1 as=$2
  shift 2
  ! running "$name" || return 0
  [ "$as" = "$me" ] || set -- setpriv --reuid="$as" --regid="$(id -g "$as")" --init-groups -- "$@"
  setsid "$@" >>"$home/log/$name.out" 2>&1 </dev/null &
  echo "$! $(started $!)" >"$home/run/$name.pid"
}

# running NAME: its process lives, and is no other one that was given the same pid since
running() {
  pid=0 since=
  [ -s "$home/run/$1.pid" ] && read -r pid since <"$home/run/$1.pid"
  [ -n "$since" ] && [ "$(started "$pid")" = "$since" ]
}

# started PID: when it was, in clock ticks since boot (proc(5): field 22); nothing for a process that is gone or a zombie
started() {
  [ -r "/proc/$1/stat" ] && sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" { print $20 }'
}

# stop NAME…: one after the other, each by its pid; killed after ten seconds
stop() {
  for name in "$@"; do
    running "$name" || continue
    kill "$pid"
    until_true 100 not_running "$name" || kill -9 "$pid"
    rm -f "$home/run/$name.pid"
  done
}

not_running() { ! running "$1"; }

# until_true TENTHS COMMAND…: try again each tenth of a second; fails when it never came true
until_true() {
  tenths=$1
  shift
  while ! "$@" >/dev/null 2>&1; do
    [ "$tenths" -gt 0 ] || return 1
    tenths=$((tenths - 1))
    sleep 0.1
  done
}

# status NAME…: one line each; true if all of them run
status() {
  all=0
  for name in "$@"; do
    if running "$name"; then echo "$service: $name up, pid $pid"; else echo "$service: $name down" && all=1; fi
  done
  return $all
}

# what container engines leave mounted
unmount() {
  [ "$me" != root ] ||
    awk -v home="$home/" 'index($2, home) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r umount --lazy
}

# root only: the plain user whose jobs and logins the tests look at
make_job_user() {
  user=$me
  [ "$me" = root ] || return 0
  user=${CRANKSHAFT_TEST_USER:-hpc}
  id "$user" >/dev/null 2>&1 || useradd -m -s /bin/bash "$user"
}

# common_commands COMMAND [ARGUMENT]: what is the same for all; `daemons` names the processes in the order they stop
common_commands() {
  case "$1" in
    down) stop $daemons && unmount && rm -rf "$home" && { rmdir "$base" 2>/dev/null || :; } ;;
    status) status $daemons ;;
    pid) running "$2" && echo "$pid" ;;
    stop) stop "$2" ;;
    env) cat "$home/env" ;;
    packages) echo "$packages" ;;
    *) echo "usage: $0 up | down | status | env | pid DAEMON | stop DAEMON | packages" >&2 && exit 64 ;;
  esac
}
