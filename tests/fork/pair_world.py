"""A pair of the v2 interface as its deployed code and storage, in an EVM in process; and what every quote is held to.

Built for many swaps: one message pays, asks for what must be refused, pays the rest, and asks for what must be given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import pyrevm

from bot import abi
from bot.amm.pool import NoLiquidity
from bot.amm.solidly import SolidlyPool
from bot.amm.v2 import V2Pool
from bot.engine.types import AccountDiff, Log

OWNER = "0x" + "11" * 20
TRADER = "0x" + "22" * 20
TOKEN0, TOKEN1 = "0x" + "33" * 20, "0x" + "44" * 20
PAIR = "0x" + "55" * 20
FACTORY = "0x" + "66" * 20
RICH = 1 << 200
P = TypeVar("P", V2Pool, SolidlyPool)


def _token_code() -> bytes:
    """A token that is all transfer and balanceOf: an account's balance is in the slot of its address."""
    transfer = (
        "602435" "3354"  # amount, sload(caller)
        "81811060{:02x}57"  # less than the amount: revert
        "8190033355"  # sstore(caller, balance - amount)
        "6004355401" "60043555"  # sstore(to, sload(to) + amount)
        "60015f5260205ff3"  # return true
    )  # fmt: skip
    balance = "5b600435545f5260205ff3"
    head = "5f3560e01c6370a082311460{:02x}57"  # balanceOf's selector: jump
    size = (len((head + transfer).format(0, 0))) // 2
    return bytes.fromhex((head + transfer).format(size, size + len(balance) // 2) + balance + "5b5f5ffd")


def _trader_code() -> bytes:
    """Calldata: token in, pair, amount, two outputs, amount, two outputs. Pays and swaps twice; answers whether the
    first swap went through, and reverts if neither did."""
    code = ""
    for first in (2, 5):
        code += f"63a9059cbb60e01b5f5260203560045260{32 * first:02x}35602452"  # transfer(pair, amount)
        code += "5f5f60445f5f5f355af150"  # to the token
        code += f"63022c0d9f60e01b5f5260{32 * first + 32:02x}3560045260{32 * first + 64:02x}35602452"  # swap(…, …,
        code += "3060445260806064525f608452"  # itself, no data)
        code += "5f5f60a45f5f6020355af1"  # to the pair
    code += f"811760{len(code) // 2 + 8:02x}575f5ffd"  # unless one went through: revert
    return bytes.fromhex(code + "5b5f5260205ff3")  # return the first's success


def _factory_code() -> bytes:
    """Answers a call with what the slot of its selector holds."""
    return bytes.fromhex("5f3560e01c545f5260205ff3")


class PairWorld:
    """One pair with reserves of two tokens, and a trader who has plenty of both."""

    def __init__(
        self, code: bytes, slots: Mapping[int, int], reserves: tuple[int, int], factory: Mapping[str, int] | None = None
    ) -> None:
        self.evm = pyrevm.EVM(spec_id="Cancun")
        self.evm.set_block_env(pyrevm.BlockEnv(number=1, timestamp=1_700_000_000))
        for address, content in (
            (PAIR, code),
            (TOKEN0, _TOKEN),
            (TOKEN1, _TOKEN),
            (TRADER, _TRADER),
            (FACTORY, _FACTORY),
        ):
            self.evm.insert_account_info(address, pyrevm.AccountInfo(code=content, nonce=1))
        for slot, content in slots.items():
            self.evm.insert_account_storage(PAIR, slot, content)
        for name, content in (factory or {}).items():
            self.evm.insert_account_storage(FACTORY, int.from_bytes(abi.selector(name), "big"), content)
        for token, reserve in zip((TOKEN0, TOKEN1), reserves, strict=True):
            self.evm.insert_account_storage(token, int(PAIR, 16), reserve)
            self.evm.insert_account_storage(token, int(TRADER, 16), RICH)

    def ask(self, signature: str, *args: int | str) -> int | None:
        """The first word of the pair's answer; None where it reverts."""
        try:
            return abi.uint(bytes(self.evm.message_call(OWNER, PAIR, abi.call(signature, *args))))
        except RuntimeError:
            return None

    def swap(self, i: int, refused: tuple[int, int], given: tuple[int, int]) -> bool:
        """Swaps at the second of two (paid in all, asked for), which pays no less than the first; whether it could.
        The first has to be refused."""
        (paid, asked), (all_paid, got) = refused, given
        token = (TOKEN0, TOKEN1)[i]
        outs = [(out, 0) if i else (0, out) for out in (asked, got)]
        words = (token, PAIR, paid, *outs[0], all_paid - paid, *outs[1])
        try:
            first = abi.uint(bytes(self.evm.message_call(OWNER, TRADER, b"".join(map(abi.encode, words)))))
        except RuntimeError:
            return False
        assert not first, (i, refused)
        return True

    def logs(self) -> list[Log]:
        """The pair's in the last message."""
        return [
            Log(PAIR, tuple(log.topics), bytes(log.data[1]))
            for log in self.evm.result.logs
            if log.address.lower() == PAIR
        ]


_TOKEN, _TRADER, _FACTORY = _token_code(), _trader_code(), _factory_code()


def check_swap(world: PairWorld, pool: P, i: int, exact_in: bool, size: int, most: int) -> P | None:
    """The pool after a swap at its quote, which is the best that the pair allows; None where both refuse. ``most`` is
    what the pair may be paid at most."""
    case = pool, i, exact_in, size
    try:
        if exact_in:
            paid, got = size, pool.quote_in(i, 1 - i, size)
        else:
            paid, got = pool.quote_out(i, 1 - i, size), size
    except NoLiquidity:
        wanted = (size, 1) if exact_in else (most, size)
        assert not world.swap(i, wanted, wanted), case
        return None
    if not got:  # the pair refuses to give nothing
        assert not world.swap(i, (paid, 1), (paid, 0)), case
        return None
    better = (paid, got + 1) if exact_in else (paid - 1, got)
    assert world.swap(i, better, (paid, got)), case
    after = pool
    for log in world.logs():
        after = after.apply(log)
    (slots,) = pool.slots().values()
    diff = AccountDiff(slots={slot: world.evm.storage(PAIR, slot) for slot in slots})
    assert pool.apply_diff({PAIR: diff}) == after, case
    assert (after.reserve0, after.reserve1) != (pool.reserve0, pool.reserve1), case
    return after
