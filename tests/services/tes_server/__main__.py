"""Serve alone: prints the URL first and, when ended by SIGINT or SIGTERM, what was asked of it as JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from tests.services.tes_server import PROFILES, Faults, TesServer


def main() -> None:
    """`python -m tests.services.tes_server`."""
    parser = argparse.ArgumentParser(prog="tests.services.tes_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="plain-1.1")
    parser.add_argument("--state", type=Path, help="file that keeps the tasks over a restart")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--pretend", type=float, help="run nothing; each task is COMPLETE after so many seconds")
    parser.add_argument("--hold", action="store_true", help="with --pretend: let no task end before SIGUSR1")
    parser.add_argument("--no-validation", action="store_true", help="do not check requests against the documents")
    parser.add_argument("--error-rate", type=float, default=0.0, help="probability of a 503")
    parser.add_argument("--drop-rate", type=float, default=0.0, help="probability of an answer that gets lost")
    asyncio.run(_serve(parser.parse_args()))


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    server = TesServer(
        PROFILES[options.profile],
        faults=Faults(error_rate=options.error_rate, drop_rate=options.drop_rate),
        state=options.state,
        port=options.port,
        workers=options.workers,
        pretend=options.pretend,
        validate=not options.no_validation,
    )
    async with server:
        if options.hold:
            server.hold()
            loop.add_signal_handler(signal.SIGUSR1, server.let_go)
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        await stop.wait()
        names = [task.get("name", "") for task in server.tasks.values()]
        report = {
            "requests": dict(server.requests),
            "tasks": len(names),
            "names": len(set(names)),
            "cancelled": sum(task["state"] == "CANCELED" for task in server.tasks.values()),
            "runs": sum(server.runs.values()),
        }
        sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
