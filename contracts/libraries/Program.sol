// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The grammar of programs
/// @notice A program is packed bytes. Its first byte tells which of two kinds it is; `[x]` stands there only if the
/// flag named like it is set. Amounts were computed off-chain; pools, and the check at the end, refuse what does not
/// come out. An account is 2 bytes, an index of the `Book`, or 0xff and the address's 20 bytes.
///
/// route    0x20 | ROUTE_TERMS | form: a cycle in WETH through pools of the book (see `Route`)
///          [ROUTE_TERMS: last block 4, bid 2], then, with amounts of 12 bytes and below 2**95:
///          OWN       paid, pairs: the executor's WETH pays the first pair
///          LAST      anchor's index 2, least out of it, paid, pairs: the anchor comes behind the pairs, sends first,
///                    and is paid by them in its callback
///          FIRST     anchor's index 2, paid, pairs: the anchor, a v3 pool, comes before the pairs, sends to the first
///                    of them, and is paid in its callback by what they bring
///          LOAN      anchor's index 2, amount, paid, pairs: the anchor is a v2 pair, which comes before the pairs and
///                    sends the amount of its other token first, to be paid `paid`; or a lender of the book, which
///                    lends `paid` and is owed the amount
///          pairs: (index 2, out with the top bit zeroForOne)* up to the end, each sending to the next
///
/// steps    TERMS | size of minimum, [TERMS: terms 1], minimum, [DEADLINE: last block 4], [BID: bid 2],
///          (token)* as many as `terms & TOKENS`, step*
///          At the end the executor has no less WETH, ETH and of each of the tokens than at the start, and at least
///          `minimum` more of the first of them (of WETH, if there are none).
///
/// The bid is what the block's builder gets of the gain in WETH, in ETH, in basis points.
///
/// A step is a byte and its fields. An amount is 12 bytes, or 16 with WIDE; where no token is named it is WETH. The
/// caller, in nested steps, is the pool or lender that called back.
///
/// v2 chain   0x00–0x3f | pairs - 1 | WIDE | V2_TO_CALLER | V2_PAY | V2_TOKEN:
///            [V2_TOKEN: token], [V2_PAY: amount], (pair, out with the top bit zeroForOne)*
///            pays the first pair the amount, then swaps through all: each sends to the next, the last to the executor
///            or to the caller
/// v3 swap    0x40–0x5f | ZERO_FOR_ONE | WIDE | recipient: pool, amount in, nested
/// v2 flash   0x60 | ZERO_FOR_ONE | WIDE: pair, amount out, nested
///            the pool sends first (the pair to the executor, whom it calls), then calls back, where the nested steps
///            run and must pay it
/// pay        0x68 | TOKEN | TO | WIDE: [token], [to], amount; to the caller if not TO
/// tip        0x70 | WIDE: amount of WETH, unwrapped and sent to block.coinbase
/// wrap       0x78 | UNWRAP | WIDE: amount
/// morpho     0x80 | TOKEN | WIDE: lender, [token], amount, nested
/// balancer   0x88 | TOKEN | WIDE: Balancer's v2 Vault as a lender, [token], amount, nested; nested steps pay it back
/// aave       0x90 | TOKEN | WIDE: lender, [token], amount, owed, nested
/// erc3156    0x98 | TOKEN | WIDE: lender, [token], amount, owed, nested
/// v3 flash   0xa0 | TOKEN_1 | TO | WIDE: pool, [to], amount, nested; to the executor if not TO
/// v4 unlock  0xa8: manager, nested; the v4 steps stand there
/// v4 sync    0xa9: token
/// v4 swap    0xb8 | ZERO_FOR_ONE | WIDE: currency 0, currency 1, fee 3, tick spacing 3, hooks, amount in
/// v4 take    0xc0 | TOKEN | TO | WIDE: [currency], [to], amount; the zero address is ETH
/// v4 settle  0xc8 | TOKEN | PAID | WIDE: [currency], amount; PAID: what came in since sync, without an amount
/// curve      0xd0 | TOKEN | WIDE: pool, which 1 (see `Venues`), coins 1, [token in], amount in, least out
/// balancer   0xd8 | TOKEN | WIDE: vault, pool, the rest of its id 12, [token in], token out, amount in, least out
/// vault      0xe0 | TOKEN | WIDE: vault, [asset], assets to deposit
///            0xe0 | REDEEM | WIDE: vault, shares
/// liquidate  0xe8 | TOKEN | WIDE: Aave's Pool, [debt token], collateral token, user, most to repay
///            0xf0 | TOKEN | WIDE: Morpho, [loan token], most to repay, collateral token, oracle, rate model, LLTV 8,
///            borrower, collateral to seize, shares to repay, nested
///            0xf8 | TOKEN | WIDE: cToken of the debt, [its underlying], borrower, cToken of the collateral, repaid
///            0xf8 | REDEEM | WIDE: cToken, amount
///
/// nested: length 2, step*
library Program {
    uint256 internal constant FIRST_SELECTOR = 0x40; // programs begin below, functions of the interface do not

    // routes
    uint256 internal constant ROUTE = 0x20;
    uint256 internal constant ROUTE_TERMS = 0x10;
    uint256 internal constant ROUTE_FORM = 0x03; // which the guard remembers for the callback:
    uint256 internal constant ROUTE_FORM_IN_GUARD = 9; // as bits from this one on
    uint256 internal constant ROUTE_OWN = 0x00;
    uint256 internal constant ROUTE_LAST = 0x01;
    uint256 internal constant ROUTE_FIRST = 0x02;
    uint256 internal constant ROUTE_LOAN = 0x03;

    // the head of steps
    uint256 internal constant MINIMUM_SIZE = 0x0f;
    uint256 internal constant TERMS = 0x10;
    uint256 internal constant TOKENS = 0x07;
    uint256 internal constant DEADLINE = 0x08;
    uint256 internal constant BID = 0x10;

    // first bytes: a step belongs to the last one that is not above its own
    uint256 internal constant V3_SWAP = 0x40;
    uint256 internal constant V2_FLASH = 0x60;
    uint256 internal constant PAY = 0x68;
    uint256 internal constant TIP = 0x70;
    uint256 internal constant WRAP = 0x78;
    uint256 internal constant MORPHO = 0x80;
    uint256 internal constant BALANCER_V2 = 0x88;
    uint256 internal constant AAVE_V3 = 0x90;
    uint256 internal constant ERC3156 = 0x98;
    uint256 internal constant V3_FLASH = 0xa0;
    uint256 internal constant V4_UNLOCK = 0xa8;
    uint256 internal constant V4_SYNC = 0xa9;
    uint256 internal constant V4_SWAP = 0xb8;
    uint256 internal constant V4_TAKE = 0xc0;
    uint256 internal constant V4_SETTLE = 0xc8;
    uint256 internal constant CURVE = 0xd0;
    uint256 internal constant BALANCER_V2_SWAP = 0xd8;
    uint256 internal constant VAULT = 0xe0;
    uint256 internal constant LIQUIDATE_AAVE = 0xe8;
    uint256 internal constant LIQUIDATE_MORPHO = 0xf0;
    uint256 internal constant LIQUIDATE_COMPOUND_V2 = 0xf8;

    uint256 internal constant ALL = 10_000; // basis points

    // flags
    uint256 internal constant WIDE = 0x04; // also the bytes that it adds to an amount
    uint256 internal constant NARROW_SIZE = 12;
    uint256 internal constant TOKEN = 0x01;
    uint256 internal constant TO = 0x02;
    uint256 internal constant ZERO_FOR_ONE = 0x01;
    uint256 internal constant TOKEN_1 = 0x01;
    uint256 internal constant UNWRAP = 0x01;
    uint256 internal constant PAID = 0x02;
    uint256 internal constant REDEEM = 0x02;

    uint256 internal constant V2_PAIRS = 0x03;
    uint256 internal constant V2_TO_CALLER = 0x08;
    uint256 internal constant V2_PAY = 0x10;
    uint256 internal constant V2_TOKEN = 0x20;

    uint256 internal constant RECIPIENT = 0x18;
    uint256 internal constant TO_EXECUTOR = 0x00;
    uint256 internal constant TO_CALLER = 0x08;
    uint256 internal constant TO_NESTED_POOL = 0x10; // the first pair of the first nested step, a v2 chain
    uint256 internal constant TO_NEXT_POOL = 0x18; // the first pair of the step behind this one, a v2 chain
}
