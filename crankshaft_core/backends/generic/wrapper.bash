# Runs the executions of one attempt, and leaves one exit record in done/. Read by the attempt's `job`, which has set
#   _ck_attempt  _ck_run       the attempt's id, the directory of its run
#   _ck_mode                   batch (a scheduler started us), process, or child (started by a client on the same machine)
#   _ck_limit    _ck_grace     seconds the executions may take (empty: no limit), and from TERM to KILL after that
#   _ck_secret                 1 when the variables are in the file `env`
#   _ck_shell                  words of the shell that runs shell commands
#   _ck_cwd _ck_in _ck_out _ck_err    arrays, one value for each execution; directories and files
#   _ck_step_<n>               functions that replace the shell with an execution's command
#   _ck_boxed                  1 when an engine runs containers: _ck_end_box_<n> has it end one in a while, _ck_unbox_<n>
#                              removes what is left of it
# The run's directory may hold `setup` and `prologue`: shell text read before everything, and before each command.
# The record is one line: exit codes joined by commas (or -), begin, end, job id, host, why, and what there is to say.
# Every name begins with _ck_, since any other could be a variable that the user's command is to see.

_ck_main() {
  set +e +u +x
  set +o posix
  unset CDPATH
  _ck_task=$_ck_run/tasks/$_ck_attempt
  _ck_codes= _ck_pid= _ck_sig= _ck_news= _ck_stop= _ck_late= _ck_why= _ck_say= _ck_watchdogs= _ck_opened='|'
  _ck_identify
  _ck_now && _ck_t0=$_ck_t
  _ck_lock
  _ck_listen
  [ ! -e "$_ck_task/unwanted" ] || _ck_forward TERM # a signal came too early for us to hear it
  _ck_secrets && _ck_watch && _ck_steps
  _ck_unwatch
  _ck_conclude
  _ck_record
}

# Who we are: the scheduler's job id, or host:pid:start time, which no later process will have.
_ck_identify() {
  IFS= read -r _ck_host 2>/dev/null </proc/sys/kernel/hostname || _ck_host=$(uname -n)
  _ck_id=
  if [ "$_ck_mode" = batch ]; then
    _ck_id=${SLURM_JOB_ID:-${PBS_JOBID:-${LSB_JOBID:-${FLUX_JOB_ID:-${JOB_ID:-}}}}}
    [ -z "$SLURM_JOB_ID" ] || export SLURM_EXPORT_ENV=ALL # else srun in the job starts its steps with no PATH
  fi
  [ -n "$_ck_id" ] || _ck_identify_process
}

_ck_identify_process() {
  local stat
  _ck_id=$_ck_host:$$:0
  if IFS= read -r stat 2>/dev/null </proc/$$/stat; then
    set -f
    set -- ${stat##*) } # proc(5): the 22nd field, and the second may hold anything
    set +f
    _ck_id=$_ck_host:$$:${20}
  fi
}

_ck_now() {
  _ck_t=${EPOCHREALTIME:-}
  if [ -n "$_ck_t" ]; then _ck_t=${_ck_t/,/.}; else _ck_t=$(date +%s); fi
}

# Whoever makes the link runs the task. Another job's link: a duplicate, which does nothing. Our own: the scheduler has
# started us once more after the first time was cut short; that is for the engine to decide on.
_ck_lock() {
  local owner
  if [ "$_ck_mode" = child ]; then
    _ck_lock_here && return
  else
    command ln -s "$_ck_id" "$_ck_task/start" 2>/dev/null && return
  fi
  owner=$(command readlink "$_ck_task/start") || IFS= read -r owner 2>/dev/null <"$_ck_task/start"
  [ -n "$owner" ] || [ ! -e "$_ck_task/start" ] || owner='of another process' # which is writing its name this instant
  if [ -z "$owner" ]; then
    echo "crankshaft: cannot take the start lock in $_ck_task" >&2
    exit 1
  elif [ "$owner" != "$_ck_id" ]; then
    echo "crankshaft: $_ck_attempt was started by job $owner; job $_ck_id does nothing" >&2
    exit 0
  elif [ -e "$_ck_run/done/$_ck_attempt" ] || [ -e "$_ck_run/seen/$_ck_attempt" ]; then
    exit 0
  fi
  _ck_codes=- _ck_why=requeued _ck_t=$_ck_t0
  _ck_record
}

# A file in the link's place, made with O_EXCL: who made it is not written in the same instant, but on one machine nobody
# needs to know that before the process is gone, and no `ln` is started. A link, dangling or not, is in its way as well.
_ck_lock_here() {
  set -C
  { printf '%s\n' "$_ck_id" >"$_ck_task/start"; } 2>/dev/null
  owner=$?
  set +C
  return "$owner"
}

_ck_listen() {
  for _ck_s in TERM INT USR1 USR2 XCPU; do trap "_ck_forward $_ck_s" "$_ck_s"; done
  trap '_ck_forward KILL' VTALRM # asked for by force, by a signal that nobody else sends and bash does not ignore
  trap '_ck_overdue' ALRM
  [ "$_ck_mode" != batch ] || [ -z "$SGE_JOB_SPOOL_DIR" ] || trap '_ck_ending' USR2
}

# Grid Engine's only request to end (qsub -notify): its KILL follows a minute later, and lets nobody leave a record.
_ck_ending() {
  _ck_forward USR2
  _ck_forward TERM
  _ck_alarm VTALRM "$_ck_grace"
}

_ck_forward() {
  _ck_sig=$1 _ck_news=1
  case $1 in USR?) ;; *) _ck_stop=1 ;; esac # USR1 and USR2 are warnings: the next execution may still begin
  [ -z "$_ck_pid" ] || kill -"$1" -- "-$_ck_pid" 2>/dev/null
  [ -z "$_ck_boxed" ] || [ -z "$_ck_stop" ] || _ck_end_box
}

_ck_overdue() {
  if [ -z "$_ck_late" ]; then _ck_late=1 && _ck_forward TERM; else _ck_forward KILL; fi
}

# Variables that came in a file: read, and gone before any command starts.
_ck_secrets() {
  [ ! -e "$_ck_run/setup" ] || . "$_ck_run/setup"
  [ "$_ck_secret" = 1 ] || return 0
  . "$_ck_task/env" && command rm -f "$_ck_task/env" && return 0
  _ck_broken "cannot read and remove $_ck_task/env"
}

_ck_watch() {
  [ -z "$_ck_limit" ] || _ck_alarm ALRM "$_ck_limit" "$_ck_grace"
}

# A signal to ourselves after each pause.
_ck_alarm() {
  local own_groups=${-//[!m]/} # a trap may call us while a command is being started
  set -m
  (
    for _ck_s in "${@:2}"; do sleep "$_ck_s" && kill "-$1" $$; done
  ) </dev/null >/dev/null 2>&1 &
  _ck_watchdogs="$_ck_watchdogs -$!"
  [ -n "$own_groups" ] || set +m
}

_ck_unwatch() {
  trap '' ALRM
  [ -z "$_ck_watchdogs" ] || kill -KILL -- $_ck_watchdogs 2>/dev/null
}

_ck_steps() {
  for ((_ck_i = 0; _ck_i < ${#_ck_cwd[@]}; _ck_i++)); do
    [ -z "$_ck_stop" ] && _ck_prepare "$_ck_i" || return
    _ck_run_step "$_ck_i"
    _ck_codes=${_ck_codes:+$_ck_codes,}$_ck_rc
    [ "$_ck_rc" = 0 ] || return
  done
  _ck_why=exit
}

# The execution's directory and files. What is not there is said, and nothing is run elsewhere instead.
_ck_prepare() {
  cd -- "${_ck_cwd[$1]}" 2>/dev/null || _ck_broken "cannot enter the working directory ${_ck_cwd[$1]}" || return
  { exec 3<"${_ck_in[$1]}"; } 2>/dev/null || _ck_broken "cannot read standard input ${_ck_in[$1]}" || return
  _ck_open "${_ck_out[$1]}" && { exec 4>>"${_ck_out[$1]}"; } 2>/dev/null ||
    _ck_broken "cannot write standard output ${_ck_out[$1]}" || return
  _ck_open "${_ck_err[$1]}" && { exec 5>>"${_ck_err[$1]}"; } 2>/dev/null ||
    _ck_broken "cannot write standard error ${_ck_err[$1]}"
}

# A file is emptied once; streams that share it, and later executions, append to it.
_ck_open() {
  case $_ck_opened in *"|$1|"*) return 0 ;; esac
  case $1 in
    */*) [ -d "${1%/*}/" ] || command mkdir -p -- "${1%/*}" 2>/dev/null ;;
  esac
  _ck_opened="$_ck_opened$1|"
  { : >"$1"; } 2>/dev/null
}

_ck_broken() {
  _ck_codes=${_ck_codes:+$_ck_codes,}125 _ck_why=broken _ck_say="$1 on $_ck_host"
  echo "crankshaft: $_ck_say" >&2
  return 1
}

# A process group of its own, so that signals reach all of it and nothing else.
_ck_run_step() {
  set -m
  _ck_child "$1" <&3 >&4 2>&5 3<&- 4>&- 5>&- &
  _ck_pid=$!
  set +m
  exec 3<&- 4>&- 5>&-
  [ -z "$_ck_stop" ] || kill -TERM -- "-$_ck_pid" 2>/dev/null # it came before there was anyone to pass it to
  while :; do
    _ck_news=
    wait "$_ck_pid"
    _ck_rc=$?
    [ -n "$_ck_news" ] || break # a signal of ours ends `wait` early
  done
  # bash 5.2 forgets the status of a command that ends in the same instant as a signal comes, and calls it -1
  [ "$_ck_rc" -ge 0 ] || _ck_rc=$((128 + $(kill -l "${_ck_sig:-KILL}")))
  _ck_clear
  _ck_pid=
  [ -z "$_ck_boxed" ] || _ck_unbox "$1"
}

_ck_child() {
  trap - TERM INT USR1 USR2 XCPU VTALRM ALRM
  set +m
  export CRANKSHAFT_ATTEMPT="$_ck_attempt"
  for _ck_v in ${!CRANKSHAFT_ENV_*}; do
    case $_ck_v in
      "CRANKSHAFT_ENV_$1_"*)
        _ck_n=${_ck_v#"CRANKSHAFT_ENV_$1_"} _ck_value=${!_ck_v}
        { unset "$_ck_n"; export "$_ck_n=$_ck_value"; } 2>/dev/null # a locale that is not there makes bash complain
        ;;
    esac
    unset "$_ck_v"
  done
  if [ -e "$_ck_run/prologue" ]; then _ck_modules && . "$_ck_run/prologue" || exit 125; fi
  "_ck_${2:-step}_$1"
  exit
}

# By the engine itself, for we may be killed before it is.
_ck_end_box() {
  [ "$_ck_boxed" = 1 ] && declare -F "_ck_end_box_$_ck_i" >/dev/null || return
  (_ck_child "$_ck_i" end_box) </dev/null >/dev/null 2>&1 &
  _ck_boxed=ending
}

# An engine's container lives on when its client is killed, or fails. One that came to its own end is gone.
_ck_unbox() {
  [ -n "$_ck_sig" ] || case $_ck_rc in 125 | 13[0-9] | 14[0-9]) ;; *) return ;; esac
  declare -F "_ck_unbox_$1" >/dev/null && (_ck_child "$1" unbox) </dev/null >/dev/null 2>&1
}

# `module` is a function that only login shells have.
_ck_modules() {
  type module >/dev/null 2>&1 && return
  for _ck_f in /etc/profile.d/z00_lmod.sh /etc/profile.d/lmod.sh /etc/profile.d/modules.sh; do
    [ ! -r "$_ck_f" ] || . "$_ck_f"
  done
  return 0
}

# What the command left behind in its group.
_ck_clear() {
  kill -TERM -- "-$_ck_pid" 2>/dev/null || return 0
  for _ck_n in 1 2 3 4 5 6 7 8 9 10; do
    [ "$_ck_sig" != KILL ] || break # it was asked for by force
    kill -0 -- "-$_ck_pid" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL -- "-$_ck_pid" 2>/dev/null
}

# rc 0 of every execution is final, whatever signals there were.
_ck_conclude() {
  if [ -z "$_ck_why" ]; then
    _ck_why=exit
    [ -z "$_ck_sig" ] || _ck_why=signal:$_ck_sig
    [ -z "$_ck_late" ] || _ck_why=time
  fi
  case $_ck_why in signal:* | time) _ck_sweep TERM && sleep 0.5 && _ck_sweep KILL ;; esac
  _ck_now
}

# Descendants that left the group still carry the attempt's name in their environment.
_ck_sweep() {
  _ck_found=1
  for _ck_p in $(command grep -lszxF "CRANKSHAFT_ATTEMPT=$_ck_attempt" /proc/[0-9]*/environ 2>/dev/null); do
    _ck_p=${_ck_p#/proc/} _ck_p=${_ck_p%/environ}
    [ "$_ck_p" != $$ ] && kill -"$1" "$_ck_p" 2>/dev/null && _ck_found=0
  done
  return $_ck_found
}

# Whole or not at all; on one machine a line that has no end yet is none, and no `mv` is started. A full disk may have
# room again in a moment.
_ck_record() {
  trap '' TERM INT USR1 USR2 XCPU VTALRM ALRM
  local temporary=$_ck_run/done/.$_ck_attempt.$_ck_id last=1
  [ "$_ck_mode" != child ] || temporary=$_ck_run/done/$_ck_attempt
  for _ck_n in 1 2 3 4 5; do
    { printf '%s %s %s %s %s %s %s\n' "${_ck_codes:--}" "$_ck_t0" "$_ck_t" "$_ck_id" "$_ck_host" "$_ck_why" \
      "$_ck_say" >"$temporary"; } && break
    sleep 1
  done
  [ "$_ck_mode" != child ] || exit 0
  case $_ck_codes in *[!0-9]* | '') ;; *) last=$_ck_codes ;; esac
  case $_ck_codes in *,*) last=${_ck_codes##*,} ;; esac
  [ "$_ck_mode" = batch ] || exec mv -f -- "$temporary" "$_ck_run/done/$_ck_attempt"
  command mv -f -- "$temporary" "$_ck_run/done/$_ck_attempt"
  exit "$last"
}

_ck_main
