"""The executor contract from outside: its creation code, its owner's calls, and why it refused.

Its interface is contracts/interfaces/IExecutor.sol; what trades through it is in bot.execution.program.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import msgspec

from bot import abi
from bot.errors import UserError
from bot.paths import repo_root

ARTIFACT = Path("out") / "Executor.sol" / "Executor.json"


class _Code(msgspec.Struct):
    object: str


class _Artifact(msgspec.Struct):
    bytecode: _Code


def deploy_data(owner: str, weth: str) -> bytes:
    """Data of the transaction that creates an executor for ``owner``. Raises UserError before forge has built it.

    The creation reverts with BadConstruction where no ``weth`` has been deployed yet.
    """
    return _creation_code(repo_root() / ARTIFACT) + abi.encode(owner) + abi.encode(weth)


@lru_cache(maxsize=1)
def _creation_code(path: Path) -> bytes:
    try:
        return abi.to_bytes(msgspec.json.decode(path.read_bytes(), type=_Artifact).bytecode.object)
    except FileNotFoundError:
        raise UserError(f"the executor is not built ({ARTIFACT} is missing): run `make setup`") from None
    except (msgspec.MsgspecError, ValueError):
        raise UserError(f"{ARTIFACT} is not forge's artifact: remove it and run `make setup`") from None


# --- the owner's calls -----------------------------------------------------------------------------------------------


def set_operator(operator: str, allowed: bool) -> bytes:
    """Calldata that lets ``operator`` trade, or stops it."""
    return abi.call("setOperator(address,bool)", operator, allowed)


def withdraw_token(token: str, amount: int) -> bytes:
    """Calldata that sends ``amount`` of ``token`` to the owner."""
    return abi.call("withdrawToken(address,uint256)", token, amount)


def withdraw_eth(amount: int) -> bytes:
    """Calldata that sends ``amount`` wei of ETH to the owner."""
    return abi.call("withdrawEth(uint256)", amount)


def is_operator(account: str) -> bytes:
    """Calldata that asks whether ``account`` may trade beside the owner; the answer is one word."""
    return abi.call("isOperator(address)", account)


# --- refusals --------------------------------------------------------------------------------------------------------

_REASONS: dict[str, Callable[[bytes], str]] = {
    "Unauthorized(address)": lambda data: f"{abi.address(data)} may not do this",
    "EthRefused(address)": lambda data: f"ETH from {abi.address(data)} is refused",
    "WrongCallback(address)": lambda data: f"{abi.address(data)} called back, and was not expected so",
    "CallbackMissing(address)": lambda data: f"{abi.address(data)} did not call back",
    "Expired(uint256)": lambda data: f"the deadline was block {abi.uint(data)}",
    "BelowMinimum(address,uint256,uint256,uint256)": lambda data: (
        f"of {abi.address(data)} the executor had {abi.uint(data, 1)} and has {abi.uint(data, 2)}, "
        f"not {abi.uint(data, 3)} more"
    ),
    "Undeclared(address)": lambda data: f"the program spends {abi.address(data)} and does not declare it",
    "NotAToken(address)": lambda data: f"{abi.address(data)} has no balance to read",
    "AllowanceLeft(address,address)": lambda data: f"{abi.address(data, 1)} left an allowance of {abi.address(data)}",
    "UnknownStep(uint256)": lambda data: f"no step begins with the byte 0x{abi.uint(data):02x}",
    "UnknownFunction(bytes4)": lambda data: f"no function has the selector 0x{data[:4].hex()}",
    "BadConstruction()": lambda data: "the owner is nobody, or WETH is not deployed",
    "CallFailed(address,bytes)": lambda data: f"{abi.address(data)} failed: {explain(_bytes_argument(data, 1))}",
    "Error(string)": lambda data: _bytes_argument(data, 0).decode(errors="replace"),
    "Panic(uint256)": lambda data: f"panic 0x{abi.uint(data):02x}",
}
_BY_SELECTOR = {abi.selector(signature): words for signature, words in _REASONS.items()}


def explain(output: bytes) -> str:
    """What the data of a revert says, in words: of the executor, and of what it called."""
    words = _BY_SELECTOR.get(output[:4])
    if words:
        with contextlib.suppress(ValueError):  # whoever reverted may have cut its data short
            return words(output[4:])
    return f"reverted with {abi.to_hex(output)}" if output else "reverted without a reason"


def _bytes_argument(data: bytes, index: int) -> bytes:
    start = abi.uint(data, index) + abi.WORD
    return data[start : start + abi.uint(data[start - abi.WORD : start])]
