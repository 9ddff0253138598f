"""The MEV in a mined block: who took what, from calls and logs alone (no I/O)."""
