"""The relay's check of X-Flashbots-Signature, against the documented vector and an independent signer."""

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from bot.devnet.signature import BadSignature, signer

KEY = b"\x11" * 32
VECTOR = (
    "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A:"
    "0x9e91b0c4f29bd848026d58fa05584966f26c2325b641817f635e60f3281e5a88"
    "1ac61ea6918dcec82772cdb9ecc1bdff7fdefe06d4f8b143a6edd34a1b26c4081b"
)


def header(body: bytes, key: bytes = KEY) -> str:
    account = Account.from_key(key)
    signature = account.sign_message(encode_defunct(text="0x" + keccak(body).hex())).signature
    return f"{account.address}:0x{bytes(signature).hex()}"


def test_documented_vector() -> None:
    assert signer(VECTOR, b'{"a":1}') == "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"


@given(st.binary(max_size=200), st.binary(min_size=32, max_size=32).filter(lambda k: 0 < int.from_bytes(k) < 2**255))
def test_agrees_with_eth_account(body: bytes, key: bytes) -> None:
    assert signer(header(body, key), body) == Account.from_key(key).address.lower()


@pytest.mark.parametrize("v", [0, 1])
def test_takes_bare_parity(v: int) -> None:
    body = next(b for b in (b"%d" % n for n in range(50)) if header(b).endswith(f"{27 + v:02x}"))
    assert signer(f"{header(body)[:-2]}{v:02x}", body)


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        (None, "missing"),
        ("", "missing"),
        ("0x1234", "<address>:<signature>"),
        (VECTOR + "00", "65 bytes"),
        (VECTOR[:-2] + "1d", "last byte"),
        (VECTOR[:-2] + "zz", "hex"),
        (VECTOR.replace("0x9e91", "0xfe91"), "X-Flashbots-Signature"),
        ("0x" + "00" * 20 + VECTOR[42:], "signed by 0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"),
        (VECTOR[:43] + "0x" + "00" * 65, "no key"),
    ],
)
def test_refuses(claim: str | None, says: str) -> None:
    with pytest.raises(BadSignature, match=says):
        signer(claim, b'{"a":1}')


def test_body_is_signed_byte_for_byte() -> None:
    with pytest.raises(BadSignature, match="signed by"):
        signer(VECTOR, b'{"a": 1}')
