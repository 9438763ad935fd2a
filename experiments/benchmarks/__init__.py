"""How long it takes, how much memory, and whether other simulators agree."""
