// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The grammar of programs
/// @notice A program is packed bytes: a head, then steps, each a first byte and its fields; `[x]` stands there only
/// if the flag named like it is set. Amounts are 12 bytes, or 16 with WIDE. They were computed off-chain; pools and
/// the check at the end refuse what does not come out.
///
/// program  size [minimum: size & 0x1f bytes] [DECLARES: count 1, token 20 each] step*
/// v2 chain 0x00–0x3f | hops - 1 | WIDE | V2_TO_CALLER | V2_PAY | V2_TOKEN:
///          (pool 20, out 12/16 whose top bit says zeroForOne)*, [V2_TOKEN: token 20], [V2_PAY: amount]
///          pays the first pool the amount, then swaps through all: each pool sends to the next, the last to the
///          executor or to the caller
/// v3 swap  0x40–0x7f | NESTED_ZERO_FOR_ONE | WIDE | recipient: pool 20, amount in, length 2, nested step*
/// v2 flash 0x80–0xbf | NESTED_ZERO_FOR_ONE | WIDE: pool 20, amount out, length 2, nested step*
///          the pool sends first (the pair to the executor, whom it calls), then calls back, where the nested
///          steps run and must pay it
/// pay      0xc0 | TOKEN | PAY_TO | WIDE: [token 20], [to 20], amount; to the caller if not PAY_TO
/// tip      0xd0 | WIDE: amount of WETH, unwrapped and sent to block.coinbase
/// deadline 0xd8: last block 4
/// loan     0xe0 | TOKEN | WIDE | lender kind: lender 20, [token 20], amount, length 2, nested step*
///
/// Where no token is named it is WETH. The caller, in nested steps, is the pool or lender that called back.
library Program {
    // head
    uint256 internal constant MINIMUM_SIZE = 0x1f;
    uint256 internal constant DECLARES = 0x20;

    // first bytes: a step belongs to the last one that is not above its own
    uint256 internal constant V3_SWAP = 0x40;
    uint256 internal constant V2_FLASH = 0x80;
    uint256 internal constant PAY = 0xc0;
    uint256 internal constant TIP = 0xd0;
    uint256 internal constant DEADLINE = 0xd8;
    uint256 internal constant LOAN = 0xe0;

    // flags
    uint256 internal constant WIDE = 0x04; // also the bytes that it adds to an amount
    uint256 internal constant NARROW_SIZE = 12;
    uint256 internal constant TOKEN = 0x01;

    uint256 internal constant V2_HOPS = 0x03;
    uint256 internal constant V2_TO_CALLER = 0x08;
    uint256 internal constant V2_PAY = 0x10;
    uint256 internal constant V2_TOKEN = 0x20;

    uint256 internal constant NESTED_ZERO_FOR_ONE = 0x01;
    uint256 internal constant RECIPIENT = 0x18;
    uint256 internal constant TO_EXECUTOR = 0x00;
    uint256 internal constant TO_CALLER = 0x08;
    uint256 internal constant TO_NESTED_POOL = 0x10; // the pool of the first nested step, a v2 chain
    uint256 internal constant TO_NEXT_POOL = 0x18; // the pool of the step behind this one, a v2 chain

    uint256 internal constant PAY_TO = 0x02;

    uint256 internal constant LENDER = 0x18;
    uint256 internal constant MORPHO = 0x00;
    uint256 internal constant BALANCER_V2 = 0x08;
}
