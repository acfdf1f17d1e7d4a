"""A batch system in one file, for what every batch system does: it detaches jobs, lists them, and ends them.

fake_batch.py SPOOL submit SCRIPT    prints `job N`; the job sees JOB_ID=N
fake_batch.py SPOOL list             prints `N|RUNNING|` for each job that lives
fake_batch.py SPOOL kill N...        TERM, and KILL two seconds later, to the job's whole session
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def main(spool: Path, verb: str, *arguments: str) -> int:
    spool.mkdir(parents=True, exist_ok=True)
    return {"submit": submit, "list": list_all, "kill": kill}[verb](spool, *arguments)


def submit(spool: Path, script: str) -> int:
    number = _next_number(spool)
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "JOB_ID": str(number)}
    with (spool / f"{number}.out").open("wb") as out:
        job = subprocess.Popen(
            ["bash", script],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd="/",
            start_new_session=True,
        )
    (spool / f"{number}.pid").write_text(f"{job.pid} {_started(job.pid)}")
    print(f"job {number}")
    return 0


def list_all(spool: Path) -> int:
    for file in sorted(spool.glob("*.pid"), key=lambda file: int(file.stem)):
        if _lives(file):
            print(f"{file.stem}|RUNNING|")
    return 0


def kill(spool: Path, *numbers: str) -> int:
    files = [spool / f"{number}.pid" for number in numbers]
    files = [file for file in files if file.exists() and _lives(file)]
    _signal(files, signal.SIGTERM)
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline and any(_lives(file) for file in files):
        time.sleep(0.02)
    _signal([file for file in files if _lives(file)], signal.SIGKILL)
    return 0


def _next_number(spool: Path) -> int:
    with (spool / "last").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        number = int(file.read() or 0) + 1
        file.truncate(0)
        file.write(str(number))
    return number


def _signal(files: list[Path], number: signal.Signals) -> None:
    for file in files:
        session = file.read_text().split()[0]
        subprocess.run(["pkill", f"-{number.name[3:]}", "-s", session], check=False)


def _lives(file: Path) -> bool:
    pid, started = file.read_text().split()
    return _started(int(pid)) == started


def _started(pid: int) -> str:
    """The start time of a live process, field 22 of proc_pid_stat(5); empty for one that is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
