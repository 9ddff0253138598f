"""Collectors on a node: heads, logs, mempool; discovery of pools by asking the contracts."""
