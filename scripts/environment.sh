# Sourced by the scripts beside this file, from the top of the clone: its own virtual environment, in .venv.
#
# It is built from a lock file, and built anew only when that changes; nothing outside the clone is touched, but for
# apt-get where root has neither uv nor pip.

# environment demo|dev: have it, and put it first on the PATH
environment() {
  unset PYTHONPATH PYTHONHOME
  lock=requirements/$1.txt
  wanted="$(cksum <"$lock") $PWD"
  # what tests need holds all that the demo needs
  if ! stands .venv/stamp-dev requirements/dev.txt && ! stands ".venv/stamp-$1" "$lock"; then
    build_environment "$lock"
    echo "$wanted" >".venv/stamp-$1"
  fi
  # its metadata and entry points come from this file; the code itself is used where it lies
  [ "$(cat .venv/stamp-project 2>/dev/null)" = "$(cksum <pyproject.toml)" ] || install_project
  VIRTUAL_ENV=$PWD/.venv
  PATH=$VIRTUAL_ENV/bin:$PATH
  export VIRTUAL_ENV PATH
}

# stands STAMP LOCK: it was built here, from this very lock
stands() { [ "$(cat "$1" 2>/dev/null)" = "$(cksum <"$2") $PWD" ]; }

build_environment() {
  echo "Building .venv from $1 (some minutes the first time)" >&2
  find_python
  rm -rf .venv
  "$python" -m venv --without-pip .venv
  find_uv
  "$uv" pip sync --quiet --python .venv/bin/python --require-hashes "$1"
}

install_project() {
  [ -n "${uv:-}" ] || find_uv
  "$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
  cksum <pyproject.toml >.venv/stamp-project
}

# python: one that is new enough, PYTHON if that is set
find_python() {
  for python in ${PYTHON:-python3.13 python3.12 python3.11 python3 python}; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return 0
  done
  give_up "no Python 3.11 or newer here; install one, or name it in PYTHON"
}

# uv: the one on the PATH, else one of our own, fetched with pip
find_uv() {
  uv=$PWD/.venv/uv/bin/uv
  if [ -x "$uv" ]; then return 0; fi
  uv=uv
  if uv --version >/dev/null 2>&1; then return 0; fi
  uv=$PWD/.venv/uv/bin/uv
  [ -n "${python:-}" ] || find_python
  find_pip
  echo "Fetching uv with pip" >&2
  "$python" -m pip install --quiet --disable-pip-version-check --no-warn-script-location --require-hashes \
    --target .venv/uv --requirement requirements/uv.txt
}

find_pip() {
  "$python" -m pip --version >/dev/null 2>&1 && return 0
  # a pip of its own, where Python was not robbed of it
  if "$python" -m venv .venv/pip >/dev/null 2>&1; then
    python=$PWD/.venv/pip/bin/python
    return 0
  fi
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    give_up "$python has no pip; install uv or pip (Debian: apt-get install python3-pip)"
  fi
  echo "Installing python3-pip with apt-get" >&2
  apt_install python3-pip
  "$python" -m pip --version >/dev/null 2>&1 || give_up "$python has no pip, and apt-get's is another Python's; install uv"
}

# apt_install PACKAGE…: nothing is asked; through $as_root where that is set
apt_install() {
  apt_get install --no-install-recommends "$@" && return 0
  # the lists may be missing or old
  apt_get update && apt_get install --no-install-recommends "$@" && return 0
  tail -n 5 .venv/apt.log >&2
  return 1
}

apt_get() { ${as_root:-} env DEBIAN_FRONTEND=noninteractive apt-get -y "$@" </dev/null >.venv/apt.log 2>&1; }

give_up() {
  echo "$0: $*" >&2
  exit 1
}
