"""How the tests call ``mev``: the console script of the environment that they run in."""

import sys
from pathlib import Path

MEV = [str(Path(sys.executable).parent / "mev")]
