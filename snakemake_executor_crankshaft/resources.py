"""What a rule's `resources:` and `threads:` ask of a backend.

Sizes, times and counts become the task's resources. What only some systems know becomes an attribute, if the
backend's templates take it. A request that would change what the job gets is refused where it cannot be honoured;
resources that are not listed here are Snakemake's own business (limits such as `io=1`), and stay there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from crankshaft_core.errors import ConfigError
from crankshaft_core.task import Resources

__all__ = ["BACKEND", "NAMES", "ROUTED", "Place", "Request", "Wish", "translate"]

BACKEND = "crankshaft_backend"
"""The resource by which a rule chooses its backend."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of tasks, and the resources that set it."""

    name: str
    resources: tuple[str, ...]
    nothing: frozenset[str] = frozenset({"", "False"})
    """Values that ask for nothing more than every job gets."""
    needed: bool = True
    """Refused where the backend does not take it. Otherwise the name means something at one site only."""
    carried_by: tuple[str, ...] = ()
    """Other attributes that bring the same about."""


_ONE = frozenset({"", "False", "0", "1"})

ATTRIBUTES = (
    Attribute("queue", ("slurm_partition", "lsf_queue", "sge_queue", "pbs_queue", "partition", "queue"), needed=False),
    Attribute("account", ("slurm_account", "lsf_project", "sge_project", "pbs_account", "account"), needed=False),
    Attribute("qos", ("slurm_qos", "qos")),
    Attribute("constraint", ("slurm_constraint", "constraint")),
    Attribute("reservation", ("slurm_reservation", "reservation")),
    Attribute("clusters", ("slurm_clusters", "clusters")),
    Attribute("gres", ("slurm_gres", "gres")),
    Attribute("gpu_model", ("gpu_model",)),
    Attribute("nodes", ("nodes",), nothing=_ONE),
    Attribute("tasks", ("tasks", "ntasks"), nothing=_ONE),
    Attribute("tasks_per_node", ("tasks_per_node", "ntasks_per_node"), nothing=_ONE),
    Attribute("tasks_per_gpu", ("tasks_per_gpu",), nothing=frozenset({"", "False", "0"})),
    Attribute("cpus_per_gpu", ("cpus_per_gpu",), nothing=frozenset({"", "False", "0"})),
    # the rule's own command runs `{resources.mpi}`; what the backend has to provide are the tasks
    Attribute("mpi", ("mpi",), nothing=frozenset({"", "False", "0"}), carried_by=("tasks",)),
    Attribute("extra_args", ("slurm_extra", "lsf_extra", "sge_extra", "pbs_extra")),
)
"""The one table of what is passed on by name."""

NAMES = frozenset(attribute.name for attribute in ATTRIBUTES)
"""Every attribute there is in the table."""

_DIALECTS = ("slurm", "lsf", "sge", "pbs")
_GPUS = ("gpu", "gpus", "nvidia_gpu")

ROUTED = frozenset({BACKEND, *_GPUS, "mem_mb_per_cpu", "cpus_per_task", *(n for a in ATTRIBUTES for n in a.resources)})
"""Resources that may make a job impossible on a backend."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a backend is, as far as resources go."""

    name: str
    takes: frozenset[str] = frozenset()
    """The attributes it has a use for."""
    dialect: str | None = None
    """Whose words it speaks: `slurm`, `lsf`, `sge`, `pbs`."""
    defaults: Resources = field(default_factory=Resources)
    """What its configuration gives a task that asks for nothing."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A job's `resources` as evaluated, and `threads`."""

    values: Mapping[str, object]
    threads: int = 1
    guesses: frozenset[str] = frozenset()
    """Resources that nobody wrote: Snakemake makes them up, so the backend's own `defaults` win over them."""
    preemptible: bool = False

    def text(self, name: str) -> str | None:
        """The value of a resource; None if it is not given, or cannot be known yet."""
        value = self.values.get(name)
        return None if value is None or str(value) == "<TBD>" else str(value).strip()


@dataclass(frozen=True, slots=True)
class Request:
    """What the task asks of the backend."""

    resources: Resources
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    unused: tuple[str, ...] = ()
    """`name=value` of what the backend has no use for, and the job can do without."""


def translate(wish: Wish, place: Place) -> Request:
    """What `wish` means at `place`. Raises ConfigError with everything that cannot be had there, and why."""
    problems: list[str] = []
    resources = _resources(wish, place, problems)
    attributes: dict[str, str] = {}
    unused: list[str] = []
    for attribute in ATTRIBUTES:
        name = _given(attribute, wish, place)
        if name is None:
            continue
        value = wish.text(name) or ""
        if _takes(place, attribute, name):
            attributes[attribute.name] = value
        elif attribute.needed:
            problems.append(_refusal(attribute, name, value, place))
        else:
            unused.append(f"{name}={value}")
    if problems:
        raise ConfigError(problems)
    return Request(resources, attributes, tuple(unused))


def _resources(wish: Wish, place: Place, problems: list[str]) -> Resources:
    cpu = _count(wish, ("cpus_per_task",), problems) or max(1, wish.threads)
    per_cpu = _count(wish, ("mem_mb_per_cpu",), problems)
    ram = per_cpu * cpu if per_cpu else _size("mem_mb", wish, place.defaults.ram, problems)
    disk = _size("disk_mb", wish, place.defaults.disk, problems)
    minutes = _count(wish, ("runtime",), problems)
    return Resources(
        cpu=cpu,
        ram=ram / 1024 if ram else None,
        disk=disk / 1024 if disk else None,
        gpu=_count(wish, _GPUS, problems),
        preemptible=True if wish.preemptible else None,
        time=f"{minutes}m" if minutes else None,  # pyright: ignore[reportArgumentType] pydantic reads the unit
    )


def _size(name: str, wish: Wish, default: float | None, problems: list[str]) -> int | None:
    """A size in MiB, as schedulers read `mem_mb`; None where the backend's default knows better than a guess."""
    return None if name in wish.guesses and default is not None else _count(wish, (name,), problems)


def _count(wish: Wish, names: tuple[str, ...], problems: list[str]) -> int | None:
    """The whole number of the first of `names` that is given; None for none and for 0."""
    name = next((name for name in names if wish.text(name)), None)
    text = wish.text(name) if name else None
    if not name or not text:
        return None
    if not text.isdecimal():
        problems.append(f"{name}={text}: a whole number is needed")
        return None
    return int(text) or None


def _given(attribute: Attribute, wish: Wish, place: Place) -> str | None:
    """The resource that sets the attribute: one in the backend's own words before those of other systems."""
    ranked = sorted(attribute.resources, key=lambda name: _distance(_speaker(name), place.dialect))
    return next((name for name in ranked if _asks(attribute, name, wish)), None)


def _asks(attribute: Attribute, name: str, wish: Wish) -> bool:
    if not attribute.needed and isinstance(wish.values.get(name), int):
        return False  # a counter that limits how many jobs run at once, as any name may be
    return (wish.text(name) or "") not in attribute.nothing


def _takes(place: Place, attribute: Attribute, name: str) -> bool:
    if attribute.name == "extra_args" and _speaker(name) != place.dialect:
        return False  # another system's flags
    return not place.takes.isdisjoint((attribute.name, *attribute.carried_by))


def _distance(speaker: str | None, dialect: str | None) -> int:
    if speaker is None:
        return 1
    return 0 if speaker == dialect else 2


def _speaker(name: str) -> str | None:
    prefix = name.partition("_")[0]
    return prefix if prefix in _DIALECTS else None


def _refusal(attribute: Attribute, name: str, value: str, place: Place) -> str:
    if attribute.name == "extra_args" and "extra_args" in place.takes:
        return f"{name}={value}: backend {place.name!r} is not {_speaker(name)}"
    wanted = attribute.carried_by[0] if attribute.carried_by else attribute.name
    taken = ", ".join(sorted(place.takes)) or "none"
    return (
        f"{name}={value}: backend {place.name!r} has no use for {wanted!r} (it takes: {taken}); "
        f"put ~{{{wanted}}} into its submit template, choose another backend, or take the resource out"
    )
