"""Keys: where they come from, and what they sign. A key is never shown: not in a repr, an error or a log."""

from __future__ import annotations

import getpass
import json
import os
import re
import secrets
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

import rlp
import structlog
from coincurve import PrivateKey
from eth_account import Account
from eth_utils.address import to_checksum_address

from bot.abi import keccak, to_bytes, to_hex
from bot.devnet.deployment import account
from bot.errors import UserError

PASSWORD = "MEV_KEYSTORE_PASSWORD"
"""The environment variable with the password of key files."""

SOURCES = "a key is named by env:VARIABLE, keystore:FILE or devnet:0 to devnet:9, and by nothing else"

_SOURCE = re.compile(r"(env):([A-Z_][A-Z0-9_]{0,39})|(keystore):(.+)|(devnet):([0-9])")

logger = structlog.get_logger(__name__)


class Signer:
    """An account that signs. ``address`` is lower-case 0x."""

    __slots__ = ("_checksummed", "_key", "address")

    def __init__(self, secret: bytes) -> None:
        """Raises ValueError unless ``secret`` is 32 bytes and a key of the curve."""
        if len(secret) != 32:
            raise ValueError("a private key has 32 bytes")
        self._key = PrivateKey(secret)
        self.address = to_hex(keccak(self._key.public_key.format(compressed=False)[1:])[12:])
        self._checksummed = to_checksum_address(self.address)

    def __repr__(self) -> str:
        return f"Signer({self.address})"

    def sign_transaction(
        self,
        *,
        chain_id: int,
        nonce: int,
        to: str | None,
        data: bytes,
        gas: int,
        max_fee_per_gas: int,
        max_priority_fee_per_gas: int,
        value: int = 0,
        access_list: Sequence[tuple[str, Sequence[int]]] = (),
    ) -> tuple[bytes, str]:
        """A type-2 transaction (EIP-1559), signed: its raw bytes and its hash. Without ``to`` it creates a contract.
        Fees are wei per gas."""
        fields = [
            _number(chain_id),
            _number(nonce),
            _number(max_priority_fee_per_gas),
            _number(max_fee_per_gas),
            _number(gas),
            to_bytes(to) if to else b"",
            _number(value),
            data,
            [[to_bytes(address), [slot.to_bytes(32, "big") for slot in slots]] for address, slots in access_list],
        ]
        signature = self._sign(keccak(b"\x02" + rlp.encode(fields)))
        r, s = (int.from_bytes(signature[at : at + 32], "big") for at in (0, 32))
        raw = b"\x02" + rlp.encode([*fields, _number(signature[64]), _number(r), _number(s)])
        return raw, to_hex(keccak(raw))

    def sign_flashbots(self, body: bytes) -> str:
        """The header X-Flashbots-Signature of a body, which must go out byte for byte: EIP-191 over the 0x string
        of its hash."""
        text = to_hex(keccak(body)).encode()
        signature = self._sign(keccak(b"\x19Ethereum Signed Message:\n%d" % len(text) + text))
        return f"{self._checksummed}:{to_hex(signature[:64] + bytes([27 + signature[64]]))}"

    def _sign(self, digest: bytes) -> bytes:
        """r, s (low, RFC 6979) and parity, 65 bytes."""
        return self._key.sign_recoverable(digest, hasher=None)


def _number(value: int) -> bytes:
    """RLP's integers have no leading zeros."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


# --- where keys come from --------------------------------------------------------------------------------------------


def load(source: str) -> Signer | None:
    """The key that a profile names: ``env:VARIABLE``, ``keystore:FILE`` or ``devnet:INDEX``.

    None when the variable is not set: without a key the bot runs in paper mode. Raises UserError for all that is
    there and cannot be used.
    """
    if not (match := _SOURCE.fullmatch(source)):
        raise UserError(SOURCES)  # what it says is not repeated: it may be the key itself
    kind, name = (group for group in match.groups() if group)
    if kind == "env":
        return from_environment(name)
    if kind == "keystore":
        return from_keystore(Path(name))
    return Signer(bytes(account(int(name)).key))


def is_source(source: str) -> bool:
    """Whether ``load`` understands it. A variable's name is shorter than a key, so that none passes for one."""
    return _SOURCE.fullmatch(source) is not None


def ephemeral() -> Signer:
    """A fresh key that nobody knows: for a relay's header, where no reputation is kept."""
    return Signer(secrets.token_bytes(32))


def from_environment(variable: str) -> Signer | None:
    """The key in an environment variable, 64 hexadecimal digits; None when it is unset or empty. Raises UserError."""
    text = os.environ.get(variable, "").strip()
    if not text:
        return None
    try:
        return Signer(bytes.fromhex(text.removeprefix("0x")))
    except ValueError:
        raise UserError(
            f"{variable} is not a private key: it must be 64 hexadecimal digits, with or without 0x"
        ) from None


def from_keystore(path: Path) -> Signer:
    """The key in an encrypted key file (Web3 Secret Storage, what geth, cast and ape write). The password is in
    MEV_KEYSTORE_PASSWORD, or asked for on a terminal. Raises UserError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a text file"
        raise UserError(f"the key file {path} cannot be read ({why}): name an encrypted key file") from None
    try:
        content = json.loads(text)
        if "ciphertext" not in (content.get("crypto") or content.get("Crypto")):
            raise KeyError("ciphertext")
    except (ValueError, AttributeError, KeyError, TypeError):
        raise UserError(f"{path} is not an encrypted key file: make one with `cast wallet import`") from None
    password = _password(path)
    try:
        secret = bytes(Account.decrypt(content, password))
        signer = Signer(secret)
    except ValueError as error:
        if "MAC" in str(error):
            raise UserError(f"the password does not open the key file {path}: mend {PASSWORD}") from None
        raise UserError(f"the key file {path} is damaged: restore it from its backup") from None
    except (KeyError, TypeError, NotImplementedError):
        raise UserError(f"the key file {path} is damaged: restore it from its backup") from None
    if path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        logger.warning("others can read the key file", path=str(path), mend=f"chmod 600 {path}")
    return signer


def _password(path: Path) -> str:
    if (password := os.environ.get(PASSWORD)) is not None:
        return password
    if not sys.stdin.isatty():
        raise UserError(f"the key file {path} needs its password: set {PASSWORD}, or run on a terminal to be asked")
    return getpass.getpass(f"password of {path}: ")
