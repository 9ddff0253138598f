"""Real ERC-4626 code in an in-process EVM: OpenZeppelin's, Ethena's, and vTHOR (solmate's), of a recorded block."""

from __future__ import annotations

import gzip
import json
from functools import cache
from typing import Any

import pyrevm
from recorded import cassette_path

from bot import abi
from bot.abi import keccak
from bot.devnet.artifacts import Artifact, Source
from bot.engine.types import Log

HOLDER = "0x" + "22" * 20
BLOCK = 19932148
USDE, SUSDE = "0x4c9edd5852cd905f086c759e8383e09bff1e68b3", "0x9d39a5de30e57443bff2a8307a4256c8797a3497"
OTHER, OTHER_ASSET = "0x815c23eca83261b6ec689b60cc4a58b54bc24d8d", "0xa5f2211b9b8170f694421f2046281775e8468044"
FIRST_TIME = 1_700_000_000
_TOKEN = Artifact("@uniswap/v2-core/build/ERC20.json")
_WETH = Artifact("canonical-weth/build/contracts/WETH9.json")

# StakedUSDeV2's storage: vestingAmount, lastDistributionTimestamp, cooldownDuration
VESTING, DISTRIBUTED, COOLDOWN = 13, 14, 16
VESTING_PERIOD = 8 * 3600


class Reverted(Exception):
    """The call reverted."""


@cache
def recorded_code(address: str) -> bytes:
    file: dict[str, Any] = json.loads(gzip.decompress(cassette_path(BLOCK).read_bytes()))
    accounts = {key.lower(): account for key, account in file["accounts"].items()}
    return abi.to_bytes(file["codes"][accounts[address]["codeHash"]])


@cache
def openzeppelin() -> bytes:
    """Creation code of a vault that is OpenZeppelin's, without its argument, the asset."""
    settings = {"optimizer": {"enabled": True, "runs": 200}, "evmVersion": "cancun"}
    return Source("tests/fork", ("VenueTokens.sol",), "0.8.37", settings).initcodes()["VenueVault"]


class VaultWorld:
    """A vault and its asset, of which the holder has very much; ``asset_slot`` and ``share_slot`` are where the two
    keep balances, ``supply_slot`` where the vault keeps its total."""

    def __init__(self, name: str) -> None:
        self.evm = pyrevm.EVM(spec_id="Cancun")
        self.name, self.plenty = name, 2**95 if name == "vthor" else 2**200
        self.at(FIRST_TIME)
        self.evm.set_balance(HOLDER, 10**30)
        if name == "openzeppelin":
            self.asset = str(self.evm.deploy(HOLDER, _TOKEN.initcode() + abi.encode(0))).lower()
            self.vault = str(self.evm.deploy(HOLDER, openzeppelin() + abi.encode(self.asset))).lower()
            self.asset_slot, self.share_slot, self.supply_slot = 1, 0, 2
        elif name == "ethena":
            self.asset, self.vault = self._place(USDE), self._place(SUSDE)
            self.asset_slot, self.share_slot, self.supply_slot = 2, 4, 6
        elif name == "vthor":
            self.asset, self.vault = self._place(OTHER_ASSET), self._place(OTHER)
            self.asset_slot, self.share_slot, self.supply_slot = 0, 3, 2
            self._write(self.vault, 9, 1)  # its reentrancy guard
            self._write(self.vault, 10, int(self.asset, 16))
        self._write(self.asset, _mapped(HOLDER, self.asset_slot), self.plenty)
        self.send(self.asset, "approve(address,uint256)", self.vault, abi.MASK_256)

    def at(self, time: int) -> None:
        self.time = time
        self.evm.set_block_env(pyrevm.BlockEnv(number=1, timestamp=time))

    def fill(self, assets: int, supply: int) -> None:
        """Gives the vault assets, and the holder all of its shares; vTHOR's count votes, its holder has to deposit."""
        self._write(self.asset, _mapped(self.vault, self.asset_slot), assets)
        self._write(self.vault, self.supply_slot, supply)
        if self.name == "vthor":
            self.swap(True, assets)
        else:
            self._write(self.vault, _mapped(HOLDER, self.share_slot), supply)

    def vest(self, amount: int, since: int, cooldown: int) -> None:
        """Ethena's: what was handed out last, and when; how long shares wait."""
        for slot, word in ((VESTING, amount), (DISTRIBUTED, since), (COOLDOWN, cooldown)):
            self._write(self.vault, slot, word)

    def swap(self, deposit: bool, amount: int) -> tuple[int, list[Log]]:
        """What deposit or redeem answer, checked against what the holder got, and the vault's logs. Raises Reverted."""
        got = self.vault if deposit else self.asset
        before = self.uint(got, "balanceOf(address)", HOLDER)
        if deposit:
            answer = self.send(self.vault, "deposit(uint256,address)", amount, HOLDER)
        else:
            answer = self.send(self.vault, "redeem(uint256,address,address)", amount, HOLDER, HOLDER)
        logs = [
            Log(log.address.lower(), tuple(log.topics), bytes(log.data[1]))
            for log in self.evm.result.logs
            if log.address.lower() == self.vault
        ]
        assert self.uint(got, "balanceOf(address)", HOLDER) - before == abi.uint(answer)
        return abi.uint(answer), logs

    def uint(self, to: str, signature: str, *args: int | str) -> int:
        return abi.uint(self.send(to, signature, *args))

    def send(self, to: str, signature: str, *args: int | str, value: int = 0) -> bytes:
        try:
            return bytes(self.evm.message_call(HOLDER, to, abi.call(signature, *args), value=value))
        except RuntimeError as error:
            raise Reverted(str(error)) from None

    def weth(self) -> str:
        return str(self.evm.deploy(HOLDER, _WETH.initcode())).lower()

    def _place(self, address: str) -> str:
        self.evm.insert_account_info(address, pyrevm.AccountInfo(code=recorded_code(address), nonce=1))
        return address

    def _write(self, address: str, slot: int, word: int) -> None:
        self.evm.insert_account_storage(address, slot, word)


def _mapped(key: str, slot: int) -> int:
    return int.from_bytes(keccak(abi.encode(key) + abi.encode(slot)), "big")
