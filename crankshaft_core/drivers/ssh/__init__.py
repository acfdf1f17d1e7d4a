"""Another machine, over SSH: `SSHDriver`, with paramiko or with the system's ssh."""

from crankshaft_core.drivers.ssh.backoff import Timing
from crankshaft_core.drivers.ssh.connection import Outage
from crankshaft_core.drivers.ssh.driver import SSHDriver
from crankshaft_core.drivers.ssh.openssh_args import login_command, logout_command, write_pin
from crankshaft_core.drivers.ssh.settings import HostKey, SSHSettings

__all__ = ["HostKey", "Outage", "SSHDriver", "SSHSettings", "Timing", "login_command", "logout_command", "write_pin"]
