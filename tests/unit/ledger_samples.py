"""Intents to put into ledgers."""

from bot.engine.types import Hop, Intent, Opportunity, Trade, Transaction

WETH, USDC = "0x" + "c0" * 20, "0x" + "a0" * 20
SENDER = "0x" + "11" * 20


def trade(gross: int = 5 * 10**15) -> Trade:
    route = (Hop("0x" + "01" * 20, "v2", WETH, USDC), Hop("0x" + "02" * 20, "v3", USDC, WETH))
    return Trade(route, (10**18, 2 * 10**9, 10**18 + gross))


def transaction(tx_hash: str) -> Transaction:
    return Transaction(tx_hash, "0x" + "77" * 20, USDC, 0, b"", 0, 21000, 10**10, 10**9, b"\x02")


def opportunity(block: int = 100, behind: str | None = None, gross: int = 5 * 10**15) -> Opportunity:
    return Opportunity("backrun", trade(gross), block, transaction(behind) if behind else None, 1)


def intent(name: str, nonce: int, sender: str = SENDER, predicted: int = 4 * 10**15) -> Intent:
    return Intent(
        id=name,
        opportunity=opportunity(behind="0x" + "ee" * 32),
        sender=sender,
        nonce=nonce,
        program=b"\x01" * 40,
        bid=10**15,
        gas=300_000,
        predicted_profit=predicted,
        raw=b"\x02" * 120,
        tx_hash="0x" + name.encode().hex().rjust(64, "0"),
    )
