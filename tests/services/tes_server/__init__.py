"""A small TES server of our own: it really runs tasks, plays the known servers, and fails on purpose.

Run it alone with `python -m tests.services.tes_server`.
"""

from tests.services.tes_server.faults import Faults
from tests.services.tes_server.profiles import PROFILES, Profile
from tests.services.tes_server.server import TesServer
from tests.services.tes_server.thread import serving

__all__ = ["PROFILES", "Faults", "Profile", "TesServer", "serving"]
