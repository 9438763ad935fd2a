"""Run the command line as ``python -m spikesim``."""

import sys

from spikesim.cli import main

sys.exit(main())
