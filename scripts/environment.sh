# Sourced by the scripts beside this file, from the top of the clone: its own virtual environment, in .venv.
#
# It is built from a lock file, and built anew only when that changes. Nothing outside the clone is touched, but for
# Debian packages where pip or a compiler is missing, and only as root or by sudo without a password;
# CRANKSHAFT_INSTALL=no forbids that too.

# environment demo|dev: have it, and put it first on the PATH
environment() {
  unset PYTHONPATH PYTHONHOME
  lock=requirements/$1.txt
  # what tests need holds all that the demo needs
  if ! stands .venv/stamp-dev requirements/dev.txt && ! stands ".venv/stamp-$1" "$lock"; then
    build_environment "$lock"
    stamp "$lock" >".venv/stamp-$1"
  fi
  # its metadata and entry points come from this file; the code itself is used where it lies
  stands .venv/stamp-project pyproject.toml || install_project
  VIRTUAL_ENV=$PWD/.venv
  PATH=$VIRTUAL_ENV/bin:$PATH
  export VIRTUAL_ENV PATH
}

# stands FILE SOURCE: made here, from this very source
stands() { [ "$(cat "$1" 2>/dev/null)" = "$(stamp "$2")" ]; }

stamp() { echo "$(cksum <"$1") $PWD"; }

build_environment() {
  echo "Building .venv from $1 (some minutes the first time)" >&2
  find_python
  rm -rf .venv
  "$python" -m venv --without-pip .venv
  find_uv
  sync "$1" && return 0
  # mappy comes as source only
  ! has_compiler || give_up "$(cat .venv/sync.log)"
  compiler="gcc libc6-dev python3-dev zlib1g-dev"
  may_install || give_up "mappy is compiled here; that needs a C compiler, and the headers of Python and zlib" \
    "(Debian: apt-get install $compiler)"
  apt_install $compiler || give_up "could not install a compiler for mappy: $compiler"
  sync "$1" || give_up "$(cat .venv/sync.log)"
}

sync() { "$uv" pip sync --quiet --python .venv/bin/python --require-hashes "$1" >.venv/sync.log 2>&1; }

has_compiler() {
  include=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("include"))')
  printf '#include <Python.h>\n#include <zlib.h>\n' | ${CC:-cc} -E "-I$include" - >/dev/null 2>&1
}

install_project() {
  find_uv
  "$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
  stamp pyproject.toml >.venv/stamp-project
}

# python: one that is new enough; PYTHON, if that is set
find_python() {
  [ -z "${python:-}" ] || return 0
  for python in ${PYTHON:-python3.13 python3.12 python3.11 python3 python}; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return 0
  done
  give_up "no Python 3.11 or newer here; install one, or name it in PYTHON"
}

# uv: the one on the PATH, else one of our own, fetched with pip
find_uv() {
  [ -z "${uv:-}" ] || return 0
  find_python
  trust_as_pip_does
  uv=uv
  ! uv --version >/dev/null 2>&1 || return 0
  uv=$PWD/.venv/uv/bin/uv
  [ ! -x "$uv" ] || return 0
  find_pip
  echo "Fetching uv with pip" >&2
  "$pip" -m pip install --quiet --disable-pip-version-check --no-warn-script-location --root-user-action ignore \
    --require-hashes --target .venv/uv --requirement requirements/uv.txt
}

# a machine's own certificates and package index hold for uv as well
trust_as_pip_does() {
  [ ! -e /etc/ssl/certs/ca-certificates.crt ] || export UV_SYSTEM_CERTS=true UV_NATIVE_TLS=true
  index=${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-${PIP_INDEX_URL:-}}}
  [ -n "$index" ] || index=$("$python" -m pip config get global.index-url 2>/dev/null) || return 0
  export UV_DEFAULT_INDEX="$index"
}

# pip: a Python that has it
find_pip() {
  pip=$python
  ! has_pip || return 0
  # Debian takes pip and ensurepip out of its python3
  ! "$python" -m venv .venv/pip >/dev/null 2>&1 || pip=$PWD/.venv/pip/bin/python
  ! has_pip || return 0
  may_install || give_up "$python has no pip; install uv or pip (Debian: apt-get install python3-pip)"
  apt_install python3-pip || give_up "could not install pip: python3-pip"
  has_pip || give_up "$python has no pip, and Debian's belongs to another Python; install uv"
}

has_pip() { "$pip" -m pip --version >/dev/null 2>&1; }

# as_root: what makes the next command root's
may_install() {
  [ "${CRANKSHAFT_INSTALL:-yes}" != no ] && command -v apt-get >/dev/null || return 1
  as_root=
  [ "$(id -u)" = 0 ] || as_root="sudo -n"
  $as_root true 2>/dev/null
}

# apt_install PACKAGE…: nothing is asked
apt_install() {
  echo "Installing with apt-get:" "$@" >&2
  apt_get install --no-install-recommends "$@" && return 0
  # the lists may be missing or old
  apt_get update && apt_get install --no-install-recommends "$@" && return 0
  tail -n 5 .venv/apt.log >&2
  return 1
}

apt_get() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -y "$@" </dev/null >.venv/apt.log 2>&1; }

give_up() {
  echo "$0: $*" >&2
  exit 1
}
