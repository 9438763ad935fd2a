"""How much memory there is: :mod:`spikesim._memory` under the name the engine uses."""

from spikesim._memory import available_memory, readable, require_memory

__all__ = ["available_memory", "readable", "require_memory"]
