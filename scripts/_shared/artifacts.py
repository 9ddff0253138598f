"""Forge's artifacts of the contracts, what `make setup` built: deployed is what tests and proofs ran, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import click
from ape.contracts import ContractContainer
from eth_abi.abi import encode
from ethpm_types import ContractType

from bot.errors import UserError
from bot.execution.book import START, Book, deploy_data

ROOT = Path(__file__).resolve().parents[2]

IMMUTABLES = {"Executor": ("owner", "weth"), "Deployer": ("owner",)}
"""In the order of their declaration; all are addresses."""


class Differs(click.ClickException):
    """Something on chain is not as it should be, said in one line. Exit status 1."""


@lru_cache(maxsize=8)
def artifact(name: str) -> dict[str, Any]:
    """Raises UsageError when it was not built."""
    path = ROOT / "out" / f"{name}.sol" / f"{name}.json"
    if not path.exists():
        raise click.UsageError(f"{path} is missing: run `make setup`")
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def executor_type() -> ContractContainer:
    """The executor for ape. Its functions are found by its fallback, so its ABI is that of IExecutor."""
    own = [entry for entry in artifact("Executor")["abi"] if entry["type"] != "error"]
    return _container("Executor", own + artifact("IExecutor")["abi"])


def deployer_type() -> ContractContainer:
    """The deployer for ape."""
    return _container("Deployer", artifact("Deployer")["abi"])


def _container(name: str, abi: list[dict[str, Any]]) -> ContractContainer:
    built = artifact(name)
    fields = {
        "contractName": name,
        "abi": abi,
        "deploymentBytecode": {"bytecode": built["bytecode"]["object"]},
        "runtimeBytecode": {"bytecode": built["deployedBytecode"]["object"]},
    }
    return ContractContainer(ContractType.model_validate(fields))


def creation_code(name: str, *addresses: str) -> bytes:
    """Creation bytecode with the constructor's arguments behind it, which are addresses."""
    return bytes.fromhex(artifact(name)["bytecode"]["object"][2:]) + encode(["address"] * len(addresses), addresses)


def executor_creation(owner: str, weth: str, book: Book) -> bytes:
    """Creation bytecode of an executor with a book. Raises UsageError where the two do not fit."""
    try:
        return deploy_data(owner, weth, book)
    except UserError as error:
        raise click.UsageError(str(error)) from None


def load_book(path: str | None) -> Book | None:
    """The book in a file, if one is named. Raises UsageError."""
    try:
        return Book.load(Path(path)) if path else None
    except UserError as error:
        raise click.UsageError(str(error)) from None


def split_book(code: bytes) -> tuple[bytes, bytes]:
    """An executor's code, and the bytes of the book behind it. Raises Differs where something else lies there."""
    size = len(artifact("Executor")["deployedBytecode"]["object"]) // 2 - 1
    behind = code[size:]
    if len(code) > size and (len(code) <= START or any(code[size:START])):
        raise Differs(f"the code has {len(code)} bytes, out/Executor.sol/Executor.json has {size}")
    return code[:size], code[START:] if behind else b""


def immutables(name: str, code: bytes) -> dict[str, str]:
    """Their names and values in deployed code, addresses in lower case. Raises Differs unless ``code`` is the
    artifact's, byte for byte, with a whole address wherever the same immutable belongs."""
    runtime = bytes.fromhex(artifact(name)["deployedBytecode"]["object"][2:])
    if len(code) != len(runtime):
        raise Differs(f"the code has {len(code)} bytes, out/{name}.sol/{name}.json has {len(runtime)}")
    expected, found = bytearray(runtime), {}
    for label, slices in _places(name):
        words = {bytes(code[at]) for at in slices}
        if len(words) != 1 or any(word[:12] != bytes(12) for word in words):
            raise Differs(f"the immutable {label} is not one address in all its places")
        word = words.pop()
        found[label] = f"0x{word[12:].hex()}"
        for at in slices:
            expected[at] = word
    first = next((n for n, (is_, should) in enumerate(zip(code, expected, strict=True)) if is_ != should), None)
    if first is not None:
        raise Differs(f"the code differs from out/{name}.sol/{name}.json, first at byte {first}")
    return found


def _places(name: str) -> Iterator[tuple[str, Sequence[slice]]]:
    """Where in the runtime code each immutable stands. The compiler numbers them as they are declared."""
    references = artifact(name)["deployedBytecode"]["immutableReferences"]
    labels = IMMUTABLES[name]
    if len(references) != len(labels):
        raise Differs(f"{name} has {len(references)} immutables; these scripts know {', '.join(labels)}")
    for label, key in zip(labels, sorted(references, key=int), strict=True):
        yield label, [slice(place["start"], place["start"] + place["length"]) for place in references[key]]
