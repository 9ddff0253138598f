"""Which rules a block runs by, in anvil's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAINNET = 1
_BY_NUMBER = ((12_965_000, "london"), (13_773_000, "arrowglacier"), (15_050_000, "grayglacier"), (15_537_394, "paris"))
_BY_TIME = ((1_681_338_455, "shanghai"), (1_710_338_135, "cancun"), (1_746_612_311, "prague"), (1_764_798_551, "osaka"))
"""Mainnet's, as go-ethereum's params/config.go has them; osaka is the newest that anvil 1.7.1 runs."""
_BY_FIELD = (("withdrawalsRoot", "shanghai"), ("blobGasUsed", "cancun"), ("requestsHash", "prague"))
"""Header fields that came with a hard fork (EIP-4895, 4844, 7685)."""


def of_block(chain_id: int, header: Mapping[str, Any]) -> str | None:
    """Mainnet's by its schedule. Elsewhere the newest that the header shows, which is a lower bound: two hard forks may
    have headers alike. None before London: such blocks have no base fee, which anvil 1.7.1 cannot leave out."""
    if header.get("baseFeePerGas") is None:
        return None
    number, time = int(header["number"], 16), int(header["timestamp"], 16)
    if chain_id == MAINNET:
        reached = [name for first, name in _BY_NUMBER if number >= first]
        reached += [name for first, name in _BY_TIME if time >= first]
        return reached[-1] if reached else None
    shown = [name for field, name in _BY_FIELD if header.get(field) is not None]
    return shown[-1] if shown else "london" if int(header.get("difficulty") or "0x0", 16) else "paris"
