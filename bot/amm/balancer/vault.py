"""What Balancer's v2 Vault keeps of a pool: its tokens' balances, in logs and in storage.

A balance is cash, which the Vault holds, and managed, which an asset manager has taken out: pools price with the sum,
payments come out of cash. Source: balancer-v2-monorepo, pkg/vault/contracts/balances and PoolBalances.sol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache

from bot import abi
from bot.amm.pool import NoLiquidity, UnknownState
from bot.amm.value import value
from bot.engine.types import Log, StateDiff, Terms

VAULT = "0xba12222222228d8ba445958a75a0704d566bf2c8"
SWAP = abi.topic("Swap(bytes32,address,address,uint256,uint256)")
BALANCE_CHANGED = abi.topic("PoolBalanceChanged(bytes32,address,address[],int256[],uint256[])")
BALANCE_MANAGED = abi.topic("PoolBalanceManaged(bytes32,address,address,int256,int256)")
_TOKENS_CHANGED = frozenset(
    (abi.topic("TokensRegistered(bytes32,address[],address[])"), abi.topic("TokensDeregistered(bytes32,address[])"))
)
GENERAL, MINIMAL, TWO_TOKENS = range(3)
_MASK_112 = (1 << 112) - 1
_GENERAL_SLOT, _MINIMAL_SLOT, _TWO_TOKENS_SLOT = 1, 7, 9  # the mappings by pool id


def specialization(pool_id: str) -> int:
    """How the Vault keeps a pool's balances: two bytes of the id, behind the pool's address."""
    return int(pool_id[42:46], 16)


@value
class Holdings:
    """A pool's balances in its Vault, one for each token that is registered there, in that order."""

    vault: str
    pool_id: str
    tokens: tuple[str, ...]
    cash: tuple[int, ...]
    managed: tuple[int, ...]

    @property
    def totals(self) -> tuple[int, ...]:
        return tuple(map(int.__add__, self.cash, self.managed))

    def check_swap(self, i: int, amount_in: int, j: int, amount_out: int) -> None:
        """BalanceAllocation.increaseCash and decreaseCash. Raises NoLiquidity where they revert."""
        if self.cash[i] + self.managed[i] + amount_in > _MASK_112:
            raise NoLiquidity(f"{self.pool_id} cannot hold {amount_in} more")
        if amount_out > self.cash[j]:
            raise NoLiquidity(f"{self.pool_id} does not hold {amount_out}")

    def apply(self, log: Log) -> Holdings:
        """The balances after one of the Vault's logs. Raises UnknownState."""
        if log.address != self.vault or len(log.topics) < 2 or log.topics[1] != self.pool_id:
            return self
        kind = log.topics[0]
        if kind == SWAP:
            i, j = self._place(log.topics[2]), self._place(log.topics[3])
            cash = list(self.cash)
            cash[i] += abi.uint(log.data)
            cash[j] -= abi.uint(log.data, 1)
            return Holdings(self.vault, self.pool_id, self.tokens, tuple(cash), self.managed)
        if kind == BALANCE_CHANGED:  # both joins and exits: what the provider pays, less what goes to the protocol
            cash = list(self.cash)
            for token, delta, fee in zip(*(_array(log.data, index) for index in range(3)), strict=True):
                cash[self._place(abi.to_hex(token))] += abi.sint(delta) - abi.uint(fee)
            return replace(self, cash=tuple(cash))
        if kind == BALANCE_MANAGED:
            i, cash, managed = self._place(log.topics[3]), list(self.cash), list(self.managed)
            cash[i] += abi.sint(log.data)
            managed[i] += abi.sint(log.data, 1)
            return replace(self, cash=tuple(cash), managed=tuple(managed))
        if kind in _TOKENS_CHANGED:
            raise UnknownState(f"{self.pool_id} has other tokens now")
        return self

    def apply_diff(self, diff: StateDiff) -> Holdings:
        """The balances after a change of the Vault's storage."""
        change = diff.get(self.vault)
        if change is None:
            return self
        slots = balance_slots(self.pool_id, self.tokens)
        if change.slots.keys().isdisjoint(slots):
            return self
        return self.from_words({slot: change.slots[slot] for slot in slots if slot in change.slots})

    def from_words(self, words: Mapping[int, int]) -> Holdings:
        """With the balances that these slots of the Vault tell."""
        cash, managed = list(self.cash), list(self.managed)
        slots = balance_slots(self.pool_id, self.tokens)
        if specialization(self.pool_id) == TWO_TOKENS:  # cash of both in one word, managed in the next
            for slot, target in zip(slots, (cash, managed), strict=True):
                if slot in words:
                    target[:] = words[slot] & _MASK_112, words[slot] >> 112 & _MASK_112
        else:
            for index, slot in enumerate(slots):
                if slot in words:
                    cash[index], managed[index] = words[slot] & _MASK_112, words[slot] >> 112 & _MASK_112
        return replace(self, cash=tuple(cash), managed=tuple(managed))

    def words(self) -> dict[int, int]:
        """The slots' words, less the block of the last change in their upper bits: what ``from_words`` reads."""
        slots = balance_slots(self.pool_id, self.tokens)
        shared = specialization(self.pool_id) == TWO_TOKENS
        pairs = (self.cash, self.managed) if shared else zip(self.cash, self.managed, strict=True)
        return {slot: low | high << 112 for slot, (low, high) in zip(slots, pairs, strict=True)}

    def slots(self) -> frozenset[int]:
        return frozenset(balance_slots(self.pool_id, self.tokens))

    def _place(self, word: str) -> int:
        """Of the token whose address this word holds. Raises UnknownState."""
        try:
            return self.tokens.index("0x" + word[26:])
        except ValueError:
            raise UnknownState(f"{self.pool_id} has other tokens than was known") from None


def unread(vault: str, pool_id: str, tokens: tuple[str, ...]) -> Holdings:
    """Holdings to be filled by ``from_words``, which has to be given all of ``slots``."""
    return Holdings(vault, pool_id, tokens, (0,) * len(tokens), (0,) * len(tokens))


@lru_cache(maxsize=65_536)
def balance_slots(pool_id: str, tokens: tuple[str, ...]) -> tuple[int, ...]:
    """Slots of the Vault: of each token's balance; of a pool of two tokens those of sharedCash and sharedManaged."""
    key = abi.encode(pool_id)
    kind = specialization(pool_id)
    if kind == TWO_TOKENS:
        pair = abi.keccak(abi.to_bytes(tokens[0]) + abi.to_bytes(tokens[1]))
        balances = _mapped(key, _TWO_TOKENS_SLOT) + 2  # behind tokenA and tokenB
        shared = _mapped(pair, balances)
        return shared, shared + 1
    if kind == MINIMAL:
        balances = _mapped(key, _MINIMAL_SLOT)
        return tuple(_mapped(abi.encode(token), balances) for token in tokens)
    entries = _mapped(key, _GENERAL_SLOT) + 1  # EnumerableMap: length, then (key, value) by index
    return tuple(_mapped(abi.encode(index), entries) + 1 for index in range(len(tokens)))


def _mapped(key: bytes, slot: int) -> int:
    return int.from_bytes(abi.keccak(key + abi.encode(slot)), "big")


def _array(data: bytes, index: int) -> list[bytes]:
    """Words of the array that the index-th argument is."""
    start = abi.uint(data, index)
    count = abi.uint(data[start:])
    return [abi.word(data[start:], 1 + position) for position in range(count)]


def enough(quote_in: Callable[[int], int], amount_in: int, amount_out: int) -> int:
    """An input that gives at least ``amount_out`` when it is swapped GIVEN_IN: what the Vault asks when the output is
    given, or a little more. Raises what ``quote_in`` raises.

    The pools' roundings favour them in both directions, each by up to 1e-14 of the balance, so that the input which
    they ask for a given output may yield less than that when it is given itself."""
    step = 1
    while (short := amount_out - quote_in(amount_in)) > 0:
        step = max(2 * step, short * amount_in // amount_out)
        amount_in += step
    return amount_in


class InVault:
    """What the pools of a Vault have in common."""

    __slots__ = ()

    holdings: Holdings

    @property
    def id(self) -> str:
        return self.holdings.pool_id

    @property
    def contract(self) -> str:
        """Which emits what concerns fee, amplification and rates."""
        return self.holdings.pool_id[:42]

    @property
    def keeper(self) -> str:
        return self.holdings.vault

    def terms(self, i: int, j: int) -> Terms:
        return (self.holdings.vault,)
