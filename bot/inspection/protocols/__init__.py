"""Swaps, one file a protocol: from its logs, and from its calls where there are no logs."""
