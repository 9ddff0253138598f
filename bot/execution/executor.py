"""The executor contract from outside: its creation code, its owner's calls, and why it refused.

Its interface is contracts/interfaces/IExecutor.sol; what trades through it is in bot.execution.program.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import msgspec
import pyrevm

from bot import abi
from bot.abi import keccak
from bot.errors import UserError
from bot.paths import repo_root

ARTIFACT = Path("out") / "Executor.sol" / "Executor.json"
CREATOR = "0x000000000000000000000000006d65766b697400"  # nobody: who creates where it is of no importance


class _Code(msgspec.Struct):
    object: str


class _Artifact(msgspec.Struct):
    bytecode: _Code


def deploy_data(owner: str, weth: str) -> bytes:
    """Data of the transaction that creates an executor without a book for ``owner`` (with one: bot.execution.book).
    Raises UserError before forge has built it.

    The creation reverts with BadConstruction where no ``weth`` has been deployed yet.
    """
    return _creation_code(repo_root() / ARTIFACT) + abi.encode(owner) + abi.encode(weth)


def runtime_code(owner: str, weth: str) -> bytes:
    """The code that such a creation leaves: it is run, on a chain of its own. Raises UserError before forge has built
    the executor, and where ``owner`` is the zero address."""
    evm = pyrevm.EVM(spec_id="Cancun")
    evm.insert_account_info(weth, pyrevm.AccountInfo(code=b"\0", nonce=1))
    try:
        created = evm.basic(evm.deploy(CREATOR, deploy_data(owner, weth)))
    except RuntimeError as error:
        raise UserError(f"the executor cannot be created for {owner}: {str(error).splitlines()[0]}") from None
    code = created.code or b""
    while code and keccak(code) != created.code_hash:
        code = code[:-1]  # revm pads code
    return code


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
    "BidAboveGain(uint256)": lambda data: f"a bid of {abi.uint(data)} basis points is more than all",
    "EthSpent(uint256,uint256)": lambda data: (
        f"the executor had {abi.uint(data)} wei of ETH and has {abi.uint(data, 1)}"
    ),
    "BelowMinimum(address,uint256,uint256,uint256)": lambda data: (
        f"of {abi.address(data)} the executor had {abi.uint(data, 1)} and has {abi.uint(data, 2)}, "
        f"not {abi.uint(data, 3)} more"
    ),
    "Undeclared(address)": lambda data: f"the program spends {abi.address(data)} and does not declare it",
    "NotAToken(address)": lambda data: f"{abi.address(data)} has no balance to read",
    "NotInBook()": lambda data: "the book does not know the route's last pool, or its anchor, for what the route needs",
    "BelowPromise(uint256,uint256)": lambda data: (
        f"the route brings {abi.uint(data)} wei, and must bring at least {abi.uint(data, 1)}"
    ),
    "UnknownStep(uint256)": lambda data: f"no step begins with the byte 0x{abi.uint(data):02x}",
    "UnknownFunction(bytes4)": lambda data: f"no function has the selector 0x{data[:4].hex()}",
    "Refused(address,uint256)": lambda data: f"{abi.address(data)} refused with the error code {abi.uint(data, 1)}",
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
