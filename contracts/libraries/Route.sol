// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IExecutor} from "../interfaces/IExecutor.sol";
import {IUniswapV2Pair} from "../interfaces/IUniswapV2Pair.sol";
import {Book} from "./Book.sol";
import {Calldata} from "./Calldata.sol";
import {Calls} from "./Calls.sol";
import {Guard} from "./Guard.sol";
import {Program} from "./Program.sol";
import {RouteLoan} from "./RouteLoan.sol";
import {UniswapV2} from "./UniswapV2.sol";
import {UniswapV3} from "./UniswapV3.sol";

/// @title The fast path: a cycle in WETH through pools of the book (see `Program` for the grammar)
/// @notice It reads no balance of WETH. What the cycle brings home comes from its last pool, which must be a genuine
/// pool that trades WETH by the book: then a swap that succeeds has sent exactly the amount that the program (v2) or
/// the pool's answer (v3) says. All that goes out is `paid`. So the difference of the two is what the executor gains,
/// whatever the other pools do; where it would lose, it reverts.
/// @dev Arithmetic is unchecked where it is on positions in calldata.
library Route {
    /// @dev Bytes of an amount.
    uint256 private constant SIZE = 12;

    // what the guard remembers for the callback
    uint256 private constant LAST = Program.ROUTE_LAST << Program.ROUTE_FORM_IN_GUARD;
    uint256 private constant FIRST = Program.ROUTE_FIRST << Program.ROUTE_FORM_IN_GUARD;
    uint256 private constant LOAN = Program.ROUTE_LOAN << Program.ROUTE_FORM_IN_GUARD;

    /// @notice Runs the route whose fields begin at `cursor`; returns what was gained, in wei of WETH.
    function run(address weth, uint256 head, uint256 cursor) internal returns (uint256 gained) {
        uint256 form = head & Program.ROUTE_FORM;
        uint256 paid;
        uint256 got;
        bool genuine;
        if (form == Program.ROUTE_LAST) {
            (paid, got, genuine) = last(cursor);
        } else if (form == Program.ROUTE_OWN) {
            paid = amountAt(cursor);
            unchecked {
                (got, genuine) = chain(weth, paid, cursor + SIZE, msg.data.length, address(this));
            }
        } else {
            (paid, got, genuine) = first(weth, head, cursor);
        }
        bool bad;
        assembly ("memory-safe") {
            bad := or(iszero(genuine), lt(got, paid))
            gained := sub(got, paid)
        }
        if (bad) refuse(genuine, got, paid);
    }

    function refuse(bool genuine, uint256 got, uint256 paid) private pure {
        if (!genuine) revert IExecutor.NotInBook();
        revert IExecutor.BelowPromise(got, paid);
    }

    /// @notice Runs the part of a route, from `cursor` to `end` in calldata, that stands in the callback of its anchor,
    /// which `guard` tells.
    function runNested(address weth, uint256 guard, uint256 cursor, uint256 end) internal {
        unchecked {
            uint256 form = guard & Guard.ROUTE;
            if (form == LAST) {
                chain(weth, amountAt(cursor), cursor + SIZE, end, msg.sender);
                Calls.stop();
            }
            if (form == FIRST) {
                chain(address(0), 0, cursor + SIZE, end, address(this));
                payCaller(weth, amountAt(cursor));
                Calls.stop();
            }
            uint256 anchor = Book.entryAt(cursor);
            uint256 amount = amountAt(cursor + 2);
            cursor += 2 + SIZE;
            uint256 paid = amountAt(cursor);
            cursor += SIZE;
            if (Book.kind(anchor) < Book.V3_WETH_0) {
                chain(Book.otherToken(anchor), amount, cursor, end, address(this));
                payCaller(weth, paid);
                Calls.stop();
            }
            RouteLoan.take(weth, anchor, paid, Book.account(Book.entryAt(cursor)));
            chain(RouteLoan.payer(weth, anchor), paid, cursor, end, address(this));
            RouteLoan.repay(weth, anchor, amount);
        }
    }

    // --- anchors -----------------------------------------------------------------------------------------------

    /// @dev The last pool sends first, and is paid by the pairs before it. Returns what goes out, what comes in, and
    /// whether that is WETH from a genuine pool (which has then called back).
    function last(uint256 cursor) private returns (uint256 paid, uint256 got, bool genuine) {
        unchecked {
            uint256 anchor = Book.entryAt(cursor);
            uint256 kind = Book.kind(anchor) - Book.V2_WETH_0;
            genuine = kind < 4;
            got = amountAt(cursor + 2);
            cursor += 2 + SIZE;
            paid = amountAt(cursor);
            uint256 zeroForOne = kind & 1; // WETH, which comes out, is token 1
            if (kind < 2) {
                UniswapV2.flash(anchor >> 96, zeroForOne, got, cursor, msg.data.length - cursor, LAST);
            } else {
                uint256 brought = amountAt(msg.data.length - SIZE);
                uint256 least = got;
                got = UniswapV3.swap(
                    anchor >> 96, zeroForOne, brought, address(this), cursor, msg.data.length - cursor, LAST
                );
                if (got < least) revert IExecutor.BelowPromise(got, least);
            }
        }
    }

    /// @dev The first pool sends first, and is paid out of what the pairs behind it bring. Returns as `last`.
    /// A v2 pair can send to the executor only, which in the callback sends on as much: so the anchor must be genuine
    /// too, or the executor could be made to spend a token that it has.
    function first(address weth, uint256 head, uint256 cursor)
        private
        returns (uint256 paid, uint256 got, bool genuine)
    {
        unchecked {
            uint256 anchor = Book.entryAt(cursor);
            uint256 kind = Book.kind(anchor);
            uint256 payer = msg.data.length - SIZE;
            got = amountAt(payer);
            uint256 pays = Book.V2_WETH_0 + (Calldata.byteAt(payer) >> 7);
            uint256 kindOfPayer = Book.kind(Book.entryAt(payer - 2));
            uint256 zeroForOne = kind & 1; // WETH, which goes in, is token 0
            if (head & Program.ROUTE_FORM == Program.ROUTE_FIRST) {
                cursor += 2;
                paid = amountAt(cursor);
                genuine = isGenuine(kind - Book.V3_WETH_0 < 2, kindOfPayer, pays, cursor + SIZE);
                address pair = Book.account(Book.entryAt(cursor + SIZE));
                UniswapV3.swap(anchor >> 96, zeroForOne, paid, pair, cursor, msg.data.length - cursor, FIRST);
                return (paid, got, genuine);
            }
            uint256 amount = amountAt(cursor + 2);
            paid = amountAt(cursor + 2 + SIZE);
            genuine = isGenuine(kind != Book.OTHER, kindOfPayer, pays, cursor + 2 + 2 * SIZE);
            if (kind < Book.V3_WETH_0) {
                UniswapV2.flash(anchor >> 96, zeroForOne, amount, cursor, msg.data.length - cursor, LOAN);
                return (paid, got, genuine);
            }
            if (amount < paid) revert IExecutor.BelowPromise(amount, paid);
            RouteLoan.borrow(weth, anchor, paid, amount, cursor, LOAN);
            return (amount, got, genuine); // no more than what is owed goes out
        }
    }

    // --- parts -------------------------------------------------------------------------------------------------

    /// @dev Whether anchor and last pair are genuine, the latter paying WETH, and the rest of calldata is whole fields
    /// of pairs: else the callback would end with other bytes than those that were looked at.
    function isGenuine(bool anchor, uint256 payer, uint256 pays, uint256 pairs)
        private
        pure
        returns (bool genuine)
    {
        assembly ("memory-safe") {
            let whole := and(gt(calldatasize(), pairs), iszero(mod(sub(calldatasize(), pairs), 14)))
            genuine := and(whole, and(anchor, eq(payer, pays)))
        }
    }

    /// @dev The amount at `cursor`, without its top bit.
    function amountAt(uint256 cursor) private pure returns (uint256 amount) {
        assembly ("memory-safe") {
            amount := shr(161, shl(1, calldataload(cursor)))
        }
    }

    /// @dev Pays the anchor. WETH answers by success alone.
    function payCaller(address weth, uint256 amount) private {
        bytes4 transfer = IERC20.transfer.selector;
        bool success;
        assembly ("memory-safe") {
            mstore(0x80, transfer)
            mstore(0x84, caller())
            mstore(0xa4, amount)
            success := call(gas(), weth, 0, 0x80, 0x44, 0, 0)
        }
        if (!success) Calls.fail(weth);
    }

    /// @dev Pays `amount` of `token` (unless that is zero) to the first of the pairs from `cursor` to `end`, and swaps
    /// through them: each sends to the next, the last to `recipient`. Returns what the last sent, and whether that was
    /// WETH from a genuine pair. A token of a route answers a transfer by its success: else the pair was not paid.
    function chain(address token, uint256 amount, uint256 cursor, uint256 end, address recipient)
        private
        returns (uint256 out, bool genuine)
    {
        bytes4 transfer = IERC20.transfer.selector;
        bytes4 swap = IUniswapV2Pair.swap.selector;
        bytes4 failed = IExecutor.CallFailed.selector;
        uint256 book = Book.START;
        uint256 entrySize = Book.ENTRY_SIZE;
        // Scratch space from 0x80 on: see Calls.
        assembly ("memory-safe") {
            function fail(target, selector) {
                mstore(0x80, selector)
                mstore(0x84, target)
                mstore(0xa4, 0x40)
                mstore(0xc4, returndatasize())
                returndatacopy(0xe4, 0, returndatasize())
                revert(0x80, add(0x64, and(add(returndatasize(), 0x1f), not(0x1f))))
            }
            codecopy(0x00, add(book, mul(entrySize, shr(240, calldataload(cursor)))), 0x20)
            let pair := mload(0x00)
            if token {
                mstore(0xe0, transfer) // where it leaves the amounts of a swap zero
                mstore(0xe4, shr(96, pair))
                mstore(0x104, amount)
                if iszero(call(gas(), token, 0, 0xe0, 0x44, 0, 0)) { fail(token, failed) }
            }
            mstore(0x80, swap)
            mstore(0xe4, 0x80)
            mstore(0x104, 0)
            for {} 1 {} {
                let field := calldataload(add(cursor, 2))
                let side := shl(5, shr(255, field)) // zeroForOne gives token 1: the second word
                out := shr(161, shl(1, field))
                mstore(add(0x84, side), out)
                cursor := add(cursor, 14)
                if lt(cursor, end) {
                    codecopy(0x00, add(book, mul(entrySize, shr(240, calldataload(cursor)))), 0x20)
                    let next := mload(0x00)
                    mstore(0xc4, shr(96, next))
                    if iszero(call(gas(), shr(96, pair), 0, 0x80, 0xa4, 0, 0)) {
                        fail(shr(96, pair), failed)
                    }
                    mstore(add(0x84, side), 0)
                    pair := next
                    continue
                }
                mstore(0xc4, recipient)
                if iszero(call(gas(), shr(96, pair), 0, 0x80, 0xa4, 0, 0)) {
                    fail(shr(96, pair), failed)
                }
                genuine := eq(byte(20, pair), add(1, shr(5, side))) // V2_WETH_0, V2_WETH_1
                break
            }
        }
    }
}
