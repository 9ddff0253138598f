"""Decoding of signed transactions against eth_account, which made them."""

import pytest
import rlp
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from bot.devnet.transactions import BadTransaction, as_call, decode

CHAIN = 31337
ADDRESSES = st.binary(min_size=20, max_size=20)
SLOTS = st.lists(st.binary(min_size=32, max_size=32), max_size=2)
FEES = st.integers(0, 2**70)


def signed(key: bytes, fields: dict[str, object]) -> bytes:
    return bytes(Account.from_key(key).sign_transaction(fields).raw_transaction)


@given(
    kind=st.sampled_from([0, 1, 2]),
    key=st.integers(1, 2**200).map(lambda n: n.to_bytes(32, "big")),
    body=st.fixed_dictionaries(
        {
            "nonce": st.integers(0, 2**32),
            "gas": st.integers(21_000, 30_000_000),
            "to": ADDRESSES | st.just(b""),
            "value": st.integers(0, 2**90),
            "data": st.binary(max_size=100),
        }
    ),
    fee=FEES,
    tip=FEES,
    access=st.lists(st.tuples(ADDRESSES, SLOTS), max_size=2),
)
def test_every_field_of_every_type(
    kind: int, key: bytes, body: dict[str, int | bytes], fee: int, tip: int, access: list[tuple[bytes, list[bytes]]]
) -> None:
    fields: dict[str, object] = {**body, "chainId": CHAIN}
    if kind == 2:
        fields |= {"type": 2, "maxFeePerGas": fee, "maxPriorityFeePerGas": tip}
    else:
        fields |= {"gasPrice": fee} | ({"type": 1} if kind else {})
    if kind:
        fields["accessList"] = [
            {"address": "0x" + at.hex(), "storageKeys": ["0x" + key.hex() for key in keys]} for at, keys in access
        ]
    made = Account.from_key(key).sign_transaction(fields)
    raw = bytes(made.raw_transaction)
    tx = decode(raw, CHAIN)
    assert tx.raw == raw
    assert tx.hash == "0x" + bytes(made.hash).hex()
    assert tx.sender == Account.from_key(key).address.lower()
    assert (tx.nonce, tx.gas, tx.value, tx.data) == (body["nonce"], body["gas"], body["value"], body["data"])
    assert tx.to == ("0x" + body["to"].hex() if body["to"] else None)
    assert (tx.max_fee_per_gas, tx.max_priority_fee_per_gas) == (fee, tip if kind == 2 else fee)
    wanted = [("0x" + at.hex(), tuple(int.from_bytes(key, "big") for key in keys)) for at, keys in access]
    assert list(tx.access_list) == (wanted if kind else [])
    assert len(as_call(tx).get("accessList", [])) == len(tx.access_list)


LEGACY = {"nonce": 1, "gas": 21_000, "to": b"\x01" * 20, "value": 1, "data": b"", "gasPrice": 1}


def test_legacy_without_chain_is_taken() -> None:
    raw = signed(b"\x11" * 32, LEGACY)
    assert decode(raw, CHAIN).sender == Account.from_key(b"\x11" * 32).address.lower()


def high_s(raw: bytes) -> bytes:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    *rest, v, r, s = rlp.decode(raw)
    v = int.from_bytes(v, "big")
    return rlp.encode([*rest, v + 1 if v % 2 else v - 1, r, order - int.from_bytes(s, "big")])


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "not a signed transaction"),
        (b"\x02", "not a signed transaction"),
        (b"\x03\xc0", "type 3"),
        (b"\x7f", "type 127"),
        (b"\x02\xc0", "12 fields"),
        (rlp.encode([b""] * 8), "9 fields"),
        (rlp.encode([b""] * 9), "not a signed transaction"),
        (b"\x02" + rlp.encode([b""] * 8 + [[[b""]]] + [b""] * 3), "chain 0"),
        (signed(b"\x11" * 32, LEGACY) + b"\0", "not a signed transaction"),
        (signed(b"\x11" * 32, {**LEGACY, "chainId": 1}), "chain 1, this is 31337"),
        (high_s(signed(b"\x11" * 32, {**LEGACY, "chainId": CHAIN})), "not a signed transaction"),
        (rlp.encode([[b"a"]] * 9), "not a signed transaction"),
    ],
)
def test_refuses(raw: bytes, says: str) -> None:
    with pytest.raises(BadTransaction, match=says):
        decode(raw, CHAIN)


@given(st.binary(max_size=200))
def test_never_fails_otherwise(raw: bytes) -> None:
    with pytest.raises(BadTransaction):
        decode(raw, CHAIN)
