"""Who sent a request to a relay: the header X-Flashbots-Signature."""

from __future__ import annotations

from coincurve import PublicKey

from bot.abi import keccak, to_bytes, to_hex


class BadSignature(ValueError):
    """The header is missing, malformed, or not of this body. The message says which."""


def address_of(public_key: PublicKey) -> str:
    """The account of a public key."""
    return to_hex(keccak(public_key.format(compressed=False)[1:])[12:])


def recover(signature: bytes, digest: bytes) -> str:
    """The account that signed ``digest``; 65 bytes r, s, v with v 0, 1, 27 or 28. Raises ValueError."""
    if len(signature) != 65:
        raise ValueError("a signature has 65 bytes")
    parity = signature[64] - 27 if signature[64] >= 27 else signature[64]
    if parity not in (0, 1):
        raise ValueError("a signature's last byte is 0, 1, 27 or 28")
    try:
        key = PublicKey.from_signature_and_message(signature[:64] + bytes([parity]), digest, hasher=None)
    except Exception:  # coincurve raises bare Exception
        raise ValueError("no key has this signature") from None
    return address_of(key)


def signer(header: str | None, body: bytes) -> str:
    """The account in ``<address>:<signature>``, once the signature is proven: EIP-191 over the 0x string of
    keccak256 of the body, byte for byte as it came. Raises BadSignature."""
    if not header:
        raise BadSignature("header X-Flashbots-Signature is missing")
    claimed, colon, signature = header.partition(":")
    if not colon:
        raise BadSignature("header X-Flashbots-Signature must be <address>:<signature>")
    text = to_hex(keccak(body)).encode()
    digest = keccak(b"\x19Ethereum Signed Message:\n%d" % len(text) + text)
    try:
        proven = recover(to_bytes(signature), digest)
    except ValueError as error:
        raise BadSignature(f"header X-Flashbots-Signature: {error}") from None
    if proven != claimed.lower():
        raise BadSignature(f"header X-Flashbots-Signature: signed by {proven}, not by {claimed.lower()}")
    return proven
