"""Which nonces are spoken for. In memory: the durable record is the intent itself, and only the holder of the
fencing token can write one, so a reservation that dies with its process was never used."""

from __future__ import annotations

Key = tuple[int, str]
"""An intent: its run and its id, which is the same in every run of the same seed."""


class Nonces:
    """Reservations by sender. A nonce is free, reserved (no owner yet), or owned by an intent."""

    def __init__(self) -> None:
        self._taken: dict[str, dict[int, Key | None]] = {}

    def reserve(self, sender: str, chain_nonce: int) -> int:
        """The lowest free nonce from ``chain_nonce``, the node's count of the sender's mined transactions, up."""
        taken = self._taken.setdefault(sender, {})
        nonce = chain_nonce
        while nonce in taken:
            nonce += 1
        taken[nonce] = None
        return nonce

    def is_reserved(self, sender: str, nonce: int) -> bool:
        """Reserved and not yet owned."""
        taken = self._taken.get(sender, {})
        return nonce in taken and taken[nonce] is None

    def give(self, sender: str, nonce: int, owner: Key) -> None:
        """The nonce belongs to an intent: until ``release``, also after it was mined (a node may lag behind)."""
        self._taken.setdefault(sender, {})[nonce] = owner

    def release(self, sender: str, nonce: int, owner: Key | None) -> None:
        """Frees a nonce whose owner cannot be mined any more, or, with None, a reservation that was not used."""
        taken = self._taken.get(sender, {})
        if nonce in taken and taken[nonce] == owner:
            del taken[nonce]
