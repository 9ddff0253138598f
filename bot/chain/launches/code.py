"""What a contract's bytecode tells: the functions that it answers, the addresses in it, whom it passes calls on to."""

from __future__ import annotations

from collections.abc import Iterator

from bot import abi

PUSH1, PUSH32, DUP1, JUMPDEST = 0x60, 0x7F, 0x80, 0x5B
ENDS = frozenset((0x00, 0x56, 0xF3, 0xFD, 0xFE, 0xFF))
"""STOP, JUMP, RETURN, REVERT, INVALID, SELFDESTRUCT: what follows is reached by a jump only."""
CALLCODE, DELEGATECALL, SELFDESTRUCT = 0xF2, 0xF4, 0xFF

IMPLEMENTATION_SLOTS = (
    0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC,  # EIP-1967
    0x7050C9E0F4CA769C69BD3A8EF740BC37934F8E2C036E5A723FD8EE048ED3F8C3,  # OpenZeppelin before it
    0xC5F16F0FCC639FA48A6947836D9850F504798523BF8C9A3A87D5876CF622BCF7,  # EIP-1822
)
BEACON_SLOT = 0xA3F0AD74E5423AEBFD80D3EF4346578335A9A72AEAEE59FF6CB3582B35133D50  # EIP-1967
ADMIN_SLOT = 0xB53127684A568B3173AE13B9F8A6016E243E63B6E8EE1178D6A717850B5D6103  # EIP-1967
_CLONE = bytes.fromhex("363d3d373d3d3d363d73"), bytes.fromhex("5af43d82803e903d91602b57fd5bf3")  # EIP-1167

NAMES = {
    abi.selector(signature): signature
    for signature in (
        *("name()", "symbol()", "decimals()", "totalSupply()", "balanceOf(address)", "allowance(address,address)"),
        *("mint(address,uint256)", "mint(uint256)", "burn(address,uint256)", "burnFrom(address,uint256)"),
        *("pause()", "unpause()", "setPaused(bool)", "blacklist(address)", "blacklist(address,bool)"),
        *("setBlacklist(address,bool)", "addBlackList(address)", "addToBlacklist(address)", "setBot(address,bool)"),
        *("setBots(address[],bool)", "blockBots(address[])", "addBots(address[])", "freeze(address)"),
        *("setFee(uint256)", "setFees(uint256,uint256)", "setTax(uint256)", "setTaxes(uint256,uint256)"),
        *("setBuyFee(uint256)", "setSellFee(uint256)", "setSellTax(uint256)", "updateFees(uint256,uint256)"),
        *("setMaxTx(uint256)", "setMaxTxAmount(uint256)", "setMaxWallet(uint256)", "setMaxSell(uint256)"),
        *("setTrading(bool)", "enableTrading()", "openTrading()", "setTradingEnabled(bool)", "setCooldown(uint256)"),
        *("upgradeTo(address)", "upgradeToAndCall(address,bytes)", "setImplementation(address)"),
        *("transferOwnership(address)", "renounceOwnership()", "setOwner(address)", "setAdmin(address)"),
        *("transferFrom(address,address,uint256)", "transfer(address,uint256)", "approve(address,uint256)"),
        *("setBalance(address,uint256)", "rebase(uint256)", "airdrop(address[],uint256)", "setPair(address)"),
        *("setWhitelist(address,bool)", "setAllowed(address,bool)", "setExempt(address,bool)", "sweep(address)"),
    )
}
"""Functions of which a reason is easier to read with the name. What they do is found by calling them."""


def instructions(code: bytes) -> Iterator[tuple[int, bytes]]:
    """Opcodes with the data that they push, from the first byte on."""
    at = 0
    while at < len(code):
        opcode = code[at]
        size = opcode - PUSH1 + 1 if PUSH1 <= opcode <= PUSH32 else 0
        yield opcode, code[at + 1 : at + 1 + size]
        at += 1 + size


def selectors(code: bytes) -> list[bytes]:
    """Of functions that the code may answer, in order: all that it compares calldata with, among a few others. Newer
    Vyper keeps them in a table: of those the known ones."""
    pushed = [data.rjust(4, b"\0") for opcode, data in instructions(code) if len(data) in (3, 4)]
    listed = [known for known in NAMES if known in code]
    return [one for one in dict.fromkeys(pushed + listed) if one not in (b"\xff" * 4, b"\0" * 4)]


def addresses(code: bytes) -> list[str]:
    """Constants and immutables that look like addresses."""
    found = (int.from_bytes(data, "big") for _, data in instructions(code) if len(data) in (20, 32))
    return list(dict.fromkeys(address for value in found if (address := as_address(value))))


def constants(code: bytes) -> list[int]:
    """Numbers that a function may wait for, the shorter ones first: neither small ones, nor masks, nor selectors that
    the beginning of the code compares with."""
    found, before = [], 0
    for opcode, data in instructions(code):
        if len(data) > 2 and (len(data) != 4 or before != DUP1):
            found.append((len(data) > 20, int.from_bytes(data, "big")))
        before = opcode
    found.sort(key=lambda one: one[0])
    return list(dict.fromkeys(value for _, value in found if value & (value + 1) and value % (1 << 16)))


def as_address(value: int) -> str | None:
    """The address in a word; None where it looks like a number or a text."""
    number = value >> 160 or not value >> 96 or value >> 32 == (1 << 128) - 1
    return None if number or not value & 0xFFFFFFFF else f"0x{value:040x}"


def reached(code: bytes) -> set[int]:
    """Opcodes that can be reached, as far as one sees without running the code: data behind it is none of it."""
    found, alive = set(), True
    for opcode, _ in instructions(code):
        alive = alive or opcode == JUMPDEST
        if alive:
            found.add(opcode)
        alive = alive and opcode not in ENDS
    return found


def clone_of(code: bytes) -> str | None:
    """Whom a minimal proxy passes its calls on to, for ever."""
    head, tail = _CLONE
    if code.startswith(head) and code[len(head) + 20 :].startswith(tail):
        return abi.to_hex(code[len(head) : len(head) + 20])
    return None


def name(selector: bytes) -> str:
    """Of a function: known, or its selector."""
    return NAMES.get(selector, abi.to_hex(selector))
