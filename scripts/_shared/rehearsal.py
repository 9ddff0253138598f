"""The steps of a rehearsal on a fork."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

from ape.api import AccountAPI, ProviderAPI
from ape.contracts import ContractInstance
from eth_utils import keccak, to_checksum_address

from scripts._shared.artifacts import Differs
from scripts._shared.deployment import deploy
from scripts._shared.money import ETH, Asset, fund, withdraw
from scripts._shared.place import Place

FUNDS = 1_000 * 10**18  # wei that each account is given
DO_NOTHING = b"\x00"
"""A program without a step and without a minimum."""
Row = tuple[str, int | None]
"""What was done, and its gas."""


@dataclass
class Rehearsal:
    """What is done one after the other. ``assets`` begins with WETH; ``amount`` is wei of it."""

    provider: ProviderAPI
    place: Place
    assets: list[Asset]
    amount: int
    programs: list[tuple[str, bytes]]
    owner: AccountAPI = field(init=False)
    operator: AccountAPI = field(init=False)
    executor: ContractInstance = field(init=False)

    def steps(self) -> Iterator[tuple[str, Callable[[], Iterable[Row]]]]:
        """What each is called, and how it is done. That raises ApeException, Differs or UsageError."""
        yield "deploy", self.deploy
        yield "fund", self.fund
        for words, program in self.programs:
            yield f"run {words}", partial(self.run, words, program)
        yield "withdraw", self.withdraw
        yield "check balances", self.check_empty

    def deploy(self) -> Iterator[Row]:
        """By the owner, with an operator."""
        self.owner, self.operator = (played(self.provider, at) for at in (self.place.owner, nobody("operator")))
        weth = str(self.assets[0].address)
        deployed = deploy(self.owner, self.place, self.place.owner, weth, [str(self.operator.address)])
        self.executor = deployed.executor
        yield from ((words, receipt.gas_used) for words, receipt in deployed.receipts)
        yield "code, owner, WETH and operator are right", None

    def fund(self) -> Iterator[Row]:
        """WETH by the owner; ETH, which nobody can send there, by the fork."""
        receipts = fund(self.owner, self.executor, self.assets[0], self.amount)
        yield from ((words, receipt.gas_used) for words, receipt in receipts)
        self.provider.set_balance(
            self.executor.address, ETH.balance(self.provider, self.executor.address) + self.amount
        )
        yield f"put {ETH.words(self.amount)} into the executor, by the fork", None

    def run(self, words: str, program: bytes) -> Iterator[Row]:
        """By the operator."""
        before = self.held(self.assets[0])
        receipt = self.executor(data=program, sender=self.operator)
        yield f"{words} brings {self.assets[0].words(self.held(self.assets[0]) - before)}", receipt.gas_used

    def withdraw(self) -> Iterator[Row]:
        """All of every asset; the owner must get it."""
        for what in self.assets:
            if not (held := self.held(what)):
                continue
            before = what.balance(self.provider, self.place.owner)
            receipt = withdraw(self.owner, self.executor, what, held)
            fees = receipt.total_fees_paid if what is ETH else 0
            got = what.balance(self.provider, self.place.owner) - before + fees
            if got != held:
                raise Differs(f"the owner got {what.words(got)} of {what.words(held)}")
            yield f"withdraw {what.words(held)}", receipt.gas_used

    def check_empty(self) -> Iterator[Row]:
        """Nothing is left."""
        for what in self.assets:
            if left := self.held(what):
                raise Differs(f"{what.words(left)} is left in the executor")
        yield "the executor is empty, the owner has it all", None

    def held(self, what: Asset) -> int:
        """By the executor, in smallest units."""
        return what.balance(self.provider, str(self.executor.address))


def played(provider: ProviderAPI, address: str) -> AccountAPI:
    """The account at ``address``, whose key nobody needs here, with enough ETH."""
    provider.set_balance(address, FUNDS)
    return provider.account_manager.test_accounts.impersonate_account(address)


def nobody(name: str) -> str:
    """An address without a past: anvil's well-known accounts have code on mainnet, which takes what they get."""
    return str(to_checksum_address(keccak(text=f"mevkit rehearsal {name}")[-20:]))
