"""Calls of Curve's pools and of Balancer's Vault."""

from __future__ import annotations

from struct import Struct

from bot.chain.calldata import Decoder, Look, number, to_hex, uint, words_3, words_4


def _curve(protocol: str) -> Decoder:
    """(coin in, coin out, amount, least out, …)."""

    def decode(look: Look, data: bytes) -> None:
        i, j, amount, limit = (number(word, "big") for word in words_4(data, 4))
        if max(i, j) < 32:
            look.add(protocol, (), ((),), True, amount, limit, 0, (i, j))

    return decode


_vault_step = Struct(">32s32s12x20s12x20s32s").unpack_from  # SingleSwap: pool id, kind, assets, amount
_batch_step = Struct(">32s32s32s32s").unpack_from  # BatchSwapStep: pool id, indices of assets, amount


def _vault_swap(look: Look, data: bytes) -> None:
    """Vault.swap(SingleSwap, FundManagement, limit, deadline)."""
    single, limit = uint(data, 4), uint(data, 4 + 5 * 32)
    pool, kind, asset_in, asset_out, amount = _vault_step(data, 4 + single)
    exact_in = not any(kind)
    look.add(
        "balancer", (to_hex(asset_in), to_hex(asset_out)), ((to_hex(pool),),), exact_in, number(amount, "big"), limit
    )


def _vault_batch(look: Look, data: bytes) -> None:
    """Vault.batchSwap(kind, steps, assets, …): an intent a step. A step of 0 takes what the one before it gave; the
    limits are of all steps together."""
    kind, steps, listed = words_3(data, 4)
    assets = 4 + number(listed, "big")
    count = uint(data, assets)
    for start in look.parts(data, 4 + number(steps, "big")):
        pool, first, second, amount = _batch_step(data, start)
        token_in, token_out = (_asset(data, assets, count, number(index, "big")) for index in (first, second))
        exact = number(amount, "big") or None
        look.add("balancer", (token_in, token_out), ((to_hex(pool),),), not any(kind), exact, None)


def _asset(data: bytes, at: int, count: int, index: int) -> str:
    if index >= count:
        raise ValueError
    return to_hex(uint(data, at + 32 + 32 * index).to_bytes(32, "big")[12:])


_FUNDS = "(address,bool,address,bool)"
_CURVE_KINDS = (
    *("exchange(int128,int128,uint256,uint256)", "exchange(int128,int128,uint256,uint256,address)"),
    *("exchange(uint256,uint256,uint256,uint256)", "exchange(uint256,uint256,uint256,uint256,address)"),
    *("exchange(uint256,uint256,uint256,uint256,bool)", "exchange(uint256,uint256,uint256,uint256,bool,address)"),
    *("exchange_received(int128,int128,uint256,uint256)", "exchange_received(int128,int128,uint256,uint256,address)"),
    "exchange_received(uint256,uint256,uint256,uint256)",
    "exchange_received(uint256,uint256,uint256,uint256,address)",
)
_CURVE_UNDERLYING = (
    *("exchange_underlying(int128,int128,uint256,uint256)", "exchange_underlying(uint256,uint256,uint256,uint256)"),
    "exchange_underlying(int128,int128,uint256,uint256,address)",
    "exchange_underlying(uint256,uint256,uint256,uint256,address)",
)

FUNCTIONS: dict[str, Decoder] = {
    # Balancer's Vault
    f"swap((bytes32,uint8,address,address,uint256,bytes),{_FUNDS},uint256,uint256)": _vault_swap,
    f"batchSwap(uint8,(bytes32,uint256,uint256,uint256,bytes)[],address[],{_FUNDS},int256[],uint256)": _vault_batch,
    **dict.fromkeys(_CURVE_KINDS, _curve("curve")),
    **dict.fromkeys(_CURVE_UNDERLYING, _curve("curve underlying")),
}
