"""What somebody may have meant by a key that there is not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches

from crankshaft_core.config.kinds import KINDS
from crankshaft_core.config.layout import Path, known_keys, layout

__all__ = ["did_you_mean", "kind_hint", "nearest", "unknown_key"]

_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "ram": ("memory", "mem", "mem_mb", "mem_gb", "memory_gb", "ram_gb"),
    "cpu": ("cores", "core", "cpus", "ncpus", "threads", "num_cpus", "cpu_cores"),
    "gpu": ("gpus", "ngpus"),
    "disk": ("disk_mb", "disk_gb", "storage_gb", "scratch"),
    "time": ("walltime", "wall_time", "runtime", "time_limit", "max_time", "duration"),
    "queue": ("partition", "qos_queue", "lane"),
    "account": ("project", "charge", "allocation"),
    "max_tasks": ("max_jobs", "concurrency", "jobs", "limit", "parallelism", "slots"),
    "work_dir": ("workdir", "working_dir", "working_directory", "scratch_dir"),
    "poll_interval": ("poll", "monitor_interval", "frequency", "polling_interval"),
    "submit": ("command", "run", "submit_command"),
    "kill": ("cancel", "delete", "kill_command"),
    "monitor": ("status", "status_command", "monitor_command"),
    "job_id_regex": ("regex", "job_regex", "jobid_regex", "id_regex"),
    "host": ("hostname", "address", "server", "login_node"),
    "username": ("user", "login_name", "user_name"),
    "identity_file": ("key", "key_file", "private_key", "ssh_key", "identity"),
    "url": ("endpoint", "base_url", "uri", "server", "address"),
    "defaults": ("resources", "default_resources"),
    "env": ("environment", "envvars", "variables"),
    "mounts": ("volumes", "binds", "bind"),
    "prologue": ("modules", "setup", "before", "preamble"),
    "locale": ("location", "driver", "ssh"),
    "attempts": ("retries", "max_attempts", "count"),
    "on": ("when", "verdicts"),
    "kind": ("type",),
    "retry": ("retries",),
    "preset": ("scheduler", "template"),
    "extends": ("inherits", "base", "parent"),
    "keep_dirs": ("keep", "keep_dir"),
    "verify": ("ssl_verify", "tls_verify", "insecure"),
    "ca_bundle": ("cacert", "ca_file", "ca", "cert"),
    "backends": ("backend",),
    "out_of_memory": ("oom",),
    "time_limit": ("timeout",),
    "node_failure": ("node_fail", "infra"),
    "preempted": ("preemption", "preempt"),
}

_SYNONYM_OF: Mapping[str, tuple[str, ...]] = {
    word: tuple(target for target, others in _SYNONYMS.items() if word in others)
    for words in _SYNONYMS.values()
    for word in words
}

_KIND_HINTS: Mapping[str, str] = {
    **{name: f'kind = "Generic" with preset = "{name}"' for name in ("slurm", "sge", "pbs", "torque", "lsf", "flux")},
    "htcondor": 'kind = "Generic" with preset = "htcondor"',
    "condor": 'kind = "Generic" with preset = "htcondor"',
    "local": 'kind = "Generic" with preset = "local"',
    "ssh": 'kind = "Generic" with locale = { kind = "SSH", host = "…" }',
    "podman": '"Docker"',
    "swarm": '"Docker"',
    "ga4gh": '"TES"',
    "funnel": '"TES"',
}

_FEW = 12


def nearest(word: str, known: Collection[str]) -> str | None:
    """The known word that `word` is most likely a misspelling or a synonym of."""
    folded = word.lower().replace("-", "_")
    for target in sorted(known):
        swapped = sorted(folded) == sorted(target.lower())  # tow for two
        if swapped or folded in _SYNONYMS.get(target, ()):
            return target
    lowered = {target.lower(): target for target in known}
    close = get_close_matches(folded, sorted(lowered), n=1, cutoff=0.7)
    return lowered[close[0]] if close else None


def did_you_mean(word: str, known: Collection[str]) -> str:
    """`; did you mean 'x'?`, or a list of what is known if it is short, or nothing."""
    target = nearest(word, known)
    if target is not None:
        return f"; did you mean {target!r}?"
    return f"; known: {', '.join(sorted(known))}" if 0 < len(known) <= _FEW else ""


def kind_hint(word: str) -> str:
    """What to write instead of a kind that there is not."""
    hint = _KIND_HINTS.get(word.lower())
    return f"; write {hint}" if hint else did_you_mean(word, KINDS)


def unknown_key(kind: str, path: Path) -> str:
    """The message for the key that `path` ends with, in a backend of this kind."""
    if path in layout(kind):
        return "unknown key for this type"  # where a table has several types, it is another one's
    *table, key = path
    known = known_keys(kind, tuple(table))
    meant = _below(kind, (key,)) or nearest(key, known)
    if meant is not None:
        return f"unknown key; did you mean {meant!r}?"
    return "unknown key" + _place_of_its_own(kind, path, known)


def _place_of_its_own(kind: str, path: Path, known: Collection[str]) -> str:
    """Where the key would be right, if anywhere."""
    *table, key = path
    if (key,) in layout(kind):
        return f" in {'.'.join(table)}; {key!r} stands in the backend itself"
    other = next((other for other in sorted(KINDS) if path in layout(other)), None)
    if other is not None:
        return f' for kind = "{kind}"; it belongs to kind = "{other}"'
    meant = _below(kind, _SYNONYM_OF.get(key, ()))
    if meant is not None:
        return f"; did you mean {meant!r}?"
    return did_you_mean(key, known) or "; 'crankshaft schema' lists the keys there are"


def _below(kind: str, names: Collection[str]) -> str | None:
    """Dotted path of a field in some table of the backend that has one of these names."""
    places = sorted(layout(kind), key=lambda place: (len(place), place))
    return next((".".join(place) for place in places if len(place) > 1 and place[-1] in names), None)
