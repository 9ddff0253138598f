"""Where an executor comes to stand: the same address on every chain, which nobody else can take.

The deterministic deployment proxy, which is at one address on every chain, creates a Deployer bound to its owner by
CREATE2; so the Deployer's address follows from the owner and a salt. The Deployer creates the executor by CREATE, so
that the executor's address does not depend on its constructor's arguments, of which WETH differs by chain.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import click
import rlp
from ape.api import AccountAPI, ProviderAPI, ReceiptAPI
from eth_utils import keccak, to_bytes, to_checksum_address

from scripts._shared.artifacts import Differs, creation_code, immutables
from scripts._shared.network import network_name

PROXY = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
PROXY_CODE = bytes.fromhex(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0"
    "3601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
)
PROXY_SIGNER = "0x3fAB184622Dc19b6109349B94811493BF2a45362"
PROXY_COST = 10**16
"""Wei: what its transaction may cost at most, which is 100,000 gas at 100 gwei."""
PROXY_TRANSACTION = (
    "0xf8a58085174876e800830186a08080b853604580600e600039806000f350fe"
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0"
    "3601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
    "1ba02222222222222222222222222222222222222222222222222222222222222222"
    "a02222222222222222222222222222222222222222222222222222222222222222"
)
"""Signed without a key: nobody has that of PROXY_SIGNER."""
MINED_WITHIN = 30.0
"""Seconds that a node for tests has to mine it."""


@dataclass(frozen=True, slots=True)
class Place:
    """``owner`` is who deploys, ``salt`` tells this owner's deployers apart, ``number`` counts what one creates,
    from 1."""

    owner: str
    salt: int = 0
    number: int = 1

    @property
    def deployer(self) -> str:
        """Address of the Deployer, by CREATE2."""
        code = keccak(creation_code("Deployer", self.owner))
        return _address(b"\xff" + to_bytes(hexstr=PROXY) + self.salt.to_bytes(32, "big") + code)

    @property
    def executor(self) -> str:
        """Address of the contract number ``number`` of the Deployer; a contract's first nonce is 1."""
        return _address(rlp.encode([to_bytes(hexstr=self.deployer), self.number]))

    def check_next(self, provider: ProviderAPI) -> None:
        """Raises UsageError unless the Deployer's next creation comes to this place."""
        there = provider.get_code(self.deployer)
        following = provider.get_nonce(self.deployer) if there else 1
        if self.number != following:
            raise click.UsageError(
                f"number {self.number} is not next on {network_name(provider)}, {following} is: an executor has the "
                "address of its number, so deploy them in order, or say another --salt"
            )


def _address(preimage: bytes) -> str:
    return str(to_checksum_address(keccak(preimage)[-20:]))


def ensure_proxy(provider: ProviderAPI) -> None:
    """Puts the proxy on a chain for tests. Raises UsageError where a live one is without it, Differs where something
    else stands there."""
    code = bytes(provider.get_code(PROXY))
    if not code:
        if not provider.network.is_dev:
            raise click.UsageError(
                f"{network_name(provider)} lacks the deterministic deployment proxy {PROXY}: send "
                f"{PROXY_COST / 10**18} ETH to {PROXY_SIGNER}, then publish its transaction, which anyone may do: "
                f"cast publish --rpc-url URL {PROXY_TRANSACTION}"
            )
        code = _publish_proxy(provider)
    if code != PROXY_CODE:
        raise Differs(f"what stands at {PROXY} is not the deterministic deployment proxy")


def _publish_proxy(provider: ProviderAPI) -> bytes:
    provider.set_balance(PROXY_SIGNER, PROXY_COST)
    provider.make_request("eth_sendRawTransaction", [PROXY_TRANSACTION])
    deadline = time.monotonic() + MINED_WITHIN
    while not (code := bytes(provider.get_code(PROXY))):
        if time.monotonic() > deadline:
            raise Differs(
                "the deterministic deployment proxy's transaction was not mined: is the base fee over 100 gwei?"
            )
        time.sleep(0.1)
    return code


def ensure_deployer(account: AccountAPI, place: Place) -> ReceiptAPI | None:
    """The receipt of its creation; None when it was there. Raises Differs when something else is there, UsageError
    where it cannot be."""
    provider, receipt = account.provider, None
    if not provider.get_code(place.deployer):
        ensure_proxy(provider)
        data = place.salt.to_bytes(32, "big") + creation_code("Deployer", place.owner)
        receipt = account.transfer(PROXY, 0, data=data)
    owner = immutables("Deployer", bytes(provider.get_code(place.deployer)))["owner"]
    if owner != place.owner.lower():
        raise Differs(f"the deployer at {place.deployer} belongs to {owner}")
    return receipt
