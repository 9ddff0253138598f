"""Amounts, balances, and moving them between the owner and the executor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

import click
from ape.api import AccountAPI, ProviderAPI, ReceiptAPI
from ape.contracts import ContractContainer, ContractInstance
from ape.exceptions import ApeException
from ethpm_types import ContractType

from scripts._shared.artifacts import Differs
from scripts._shared.network import as_address

Receipts = list[tuple[str, ReceiptAPI]]
"""What was done, in words, and what the chain gave for it."""
ETH_DECIMALS = 18
DIGITS = 120  # more than any uint256 has


@dataclass(frozen=True, slots=True)
class Asset:
    """A token, or ETH, which has no address."""

    name: str
    address: str | None
    decimals: int

    def units(self, text: str) -> int:
        """Smallest units in whole ones, as in 1.5. Raises UsageError."""
        with localcontext(prec=DIGITS):
            try:
                units = Decimal(text).scaleb(self.decimals)
            except InvalidOperation:
                raise click.UsageError(f"{text} is not an amount: say it in whole {self.name}, as in 1.5") from None
            if not units.is_finite() or units <= 0 or units != units.to_integral_value():
                raise click.UsageError(f"{text} is no amount of {self.name}, which has {self.decimals} decimals")
            return int(units)

    def words(self, units: int) -> str:
        """The amount in whole ones."""
        with localcontext(prec=DIGITS):
            return f"{Decimal(units).scaleb(-self.decimals).normalize():f} {self.name}"

    def balance(self, provider: ProviderAPI, holder: str) -> int:
        """Smallest units. Raises UsageError where the token does not answer."""
        if self.address is None:
            return int(provider.get_balance(holder))
        return int(ask(self.address, "balanceOf", holder))


ETH = Asset("ETH", None, ETH_DECIMALS)


def asset(text: str, weth: str) -> Asset:
    """``eth``, ``weth`` or a token's address. Raises UsageError."""
    if text.lower() == "eth":
        return ETH
    address = weth if text.lower() == "weth" else as_address(text)
    if address.lower() == weth.lower():
        return Asset("WETH", weth, ETH_DECIMALS)
    return Asset(address, address, int(ask(address, "decimals")))


# --- tokens ----------------------------------------------------------------------------------------------------------


def _function(name: str, *inputs: str, output: str | None = None, payable: bool = False) -> dict[str, Any]:
    return {
        "type": "function",
        "name": name,
        "inputs": [{"name": "", "type": kind} for kind in inputs],
        "outputs": [{"name": "", "type": output}] if output else [],
        "stateMutability": "payable" if payable else "view" if output else "nonpayable",
    }


TOKEN_ABI = [
    _function("balanceOf", "address", output="uint256"),
    _function("decimals", output="uint8"),
    _function("transfer", "address", "uint256"),  # what it returns, if anything, is not trusted: balances are read
    _function("deposit", payable=True),
]


def token(address: str) -> ContractInstance:
    """An ERC-20, or wrapped ETH, for ape."""
    fields = {"contractName": "Token", "abi": TOKEN_ABI}
    return ContractContainer(ContractType.model_validate(fields)).at(address)


def ask(address: str, function: str, *arguments: str) -> Any:
    """Raises UsageError where there is no such token."""
    try:
        return getattr(token(address), function)(*arguments)
    except ApeException:
        raise click.UsageError(f"{address} does not answer {function}(): is it a token of this chain?") from None


# --- moves -----------------------------------------------------------------------------------------------------------


def fund(account: AccountAPI, executor: ContractInstance, what: Asset, amount: int) -> Receipts:
    """Sends ``amount`` units of a token to the executor; WETH is wrapped from the account's ETH first.

    Raises UsageError where the account has less, Differs where something else arrived.
    """
    assert what.address is not None, "ETH comes as WETH: the executor takes no other"
    wraps = what.name == "WETH"
    source = ETH if wraps else what
    held = source.balance(account.provider, account.address)
    if held < amount:
        raise click.UsageError(f"{account.address} has {source.words(held)}, not {source.words(amount)}")
    receipts: Receipts = []
    contract, before = token(what.address), what.balance(account.provider, executor.address)
    if wraps:
        receipts.append((f"wrap {ETH.words(amount)}", contract.deposit(value=amount, sender=account)))
    sent = contract.transfer(executor, amount, sender=account)
    receipts.append((f"send {what.words(amount)} to the executor", sent))
    arrived = what.balance(account.provider, executor.address) - before
    if arrived != amount:
        raise Differs(f"{what.words(arrived)} arrived, not {what.words(amount)}")
    return receipts


def withdraw(account: AccountAPI, executor: ContractInstance, what: Asset, amount: int) -> ReceiptAPI:
    """Sends ``amount`` units from the executor to its owner, who ``account`` must be.

    Raises UsageError where that cannot be, Differs where not all of it left.
    """
    before = what.balance(account.provider, executor.address)
    if before < amount:
        raise click.UsageError(f"{executor.address} has {what.words(before)}, not {what.words(amount)}")
    check_owner(account, executor)
    if what.address is None:
        receipt = executor.withdrawEth(amount, sender=account)
    else:
        receipt = executor.withdrawToken(what.address, amount, sender=account)
    left = before - what.balance(account.provider, executor.address)
    if left != amount:
        raise Differs(f"{what.words(left)} left the executor, not {what.words(amount)}")
    return receipt


def check_owner(account: AccountAPI, executor: ContractInstance) -> None:
    """Raises UsageError for another account."""
    owner = executor.owner()
    if owner != account.address:
        raise click.UsageError(f"only the owner of {executor.address} may do this, {owner}, not {account.address}")


def balances(provider: ProviderAPI, holders: dict[str, str], assets: Iterable[Asset]) -> list[str]:
    """A line for each asset: what each holder has of it. ``holders`` maps a word for one to its address."""
    return [
        "  ".join(f"{who} {what.words(what.balance(provider, at))}" for who, at in holders.items()) for what in assets
    ]
