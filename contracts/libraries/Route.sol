// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IExecutor} from "../interfaces/IExecutor.sol";
import {IUniswapV2Pair} from "../interfaces/IUniswapV2Pair.sol";
import {Book} from "./Book.sol";
import {Calldata} from "./Calldata.sol";
import {Calls} from "./Calls.sol";
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
    /// @notice Runs the route whose fields begin at `cursor`; returns what was gained, in wei of WETH.
    function run(address weth, uint256 head, uint256 cursor) internal returns (uint256 gained) {
        (uint256 size, uint256 shift) = amounts(head);
        uint256 form = head & Program.ROUTE_FORM;
        uint256 paid;
        uint256 got;
        bool genuine;
        if (form == Program.ROUTE_LAST) {
            (paid, got, genuine) = last(head, size, shift, cursor);
        } else if (form == Program.ROUTE_OWN) {
            paid = amountAt(cursor, shift);
            unchecked {
                (got, genuine) =
                    chain(weth, paid, size + 2, shift, cursor + size, msg.data.length, address(this));
            }
        } else {
            (paid, got, genuine) = first(weth, head, size, shift, cursor);
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
            uint256 head = guard >> Program.ROUTE_IN_GUARD;
            (uint256 size, uint256 shift) = amounts(head);
            uint256 form = head & Program.ROUTE_FORM;
            if (form == Program.ROUTE_LAST) {
                chain(weth, amountAt(cursor, shift), size + 2, shift, cursor + size, end, msg.sender);
                Calls.stop();
            }
            if (form == Program.ROUTE_FIRST) {
                chain(address(0), 0, size + 2, shift, cursor + size, end, address(this));
                payCaller(weth, amountAt(cursor, shift));
                Calls.stop();
            }
            uint256 anchor = Book.entryAt(cursor);
            uint256 amount = amountAt(cursor + 2, shift);
            cursor += 2 + size;
            uint256 paid = amountAt(cursor, shift);
            cursor += size;
            if (Book.kind(anchor) < Book.V3_WETH_0) {
                chain(Book.otherToken(anchor), amount, size + 2, shift, cursor, end, address(this));
                payCaller(weth, paid);
                Calls.stop();
            }
            RouteLoan.take(weth, anchor, paid, Book.account(Book.entryAt(cursor)));
            chain(RouteLoan.payer(weth, anchor), paid, size + 2, shift, cursor, end, address(this));
            RouteLoan.repay(weth, anchor, amount);
        }
    }

    // --- anchors -----------------------------------------------------------------------------------------------

    /// @dev The last pool sends first, and is paid by the pairs before it. Returns what goes out, what comes in, and
    /// whether that is WETH from a genuine pool (which has then called back).
    function last(uint256 head, uint256 size, uint256 shift, uint256 cursor)
        private
        returns (uint256 paid, uint256 got, bool genuine)
    {
        unchecked {
            uint256 anchor = Book.entryAt(cursor);
            uint256 kind = Book.kind(anchor) - Book.V2_WETH_0;
            genuine = kind < 4;
            got = amountAt(cursor + 2, shift);
            cursor += 2 + size;
            paid = amountAt(cursor, shift);
            uint256 zeroForOne = kind & 1; // WETH, which comes out, is token 1
            if (kind < 2) {
                UniswapV2.flash(anchor >> 96, zeroForOne, got, cursor, msg.data.length - cursor, how(head));
            } else {
                uint256 brought = amountAt(msg.data.length - size, shift);
                uint256 least = got;
                got = UniswapV3.swap(
                    anchor >> 96,
                    zeroForOne,
                    brought,
                    address(this),
                    cursor,
                    msg.data.length - cursor,
                    how(head)
                );
                if (got < least) revert IExecutor.BelowPromise(got, least);
            }
        }
    }

    /// @dev The first pool sends first, and is paid out of what the pairs behind it bring. Returns as `last`.
    /// A v2 pair can send to the executor only, which in the callback sends on as much: so the anchor must be genuine
    /// too, or the executor could be made to spend a token that it has.
    function first(address weth, uint256 head, uint256 size, uint256 shift, uint256 cursor)
        private
        returns (uint256 paid, uint256 got, bool genuine)
    {
        unchecked {
            uint256 anchor = Book.entryAt(cursor);
            uint256 kind = Book.kind(anchor);
            uint256 payer = msg.data.length - size;
            got = amountAt(payer, shift);
            uint256 pays = Book.V2_WETH_0 + (Calldata.byteAt(payer) >> 7);
            if (kind == Book.OTHER) pays = type(uint256).max; // which no kind is
            genuine = Book.kind(Book.entryAt(payer - 2)) == pays;
            uint256 zeroForOne = kind & 1; // WETH, which goes in, is token 0
            if (head & Program.ROUTE_FORM == Program.ROUTE_FIRST) {
                cursor += 2;
                paid = amountAt(cursor, shift);
                address pair = Book.account(Book.entryAt(cursor + size));
                UniswapV3.swap(
                    anchor >> 96, zeroForOne, paid, pair, cursor, msg.data.length - cursor, how(head)
                );
                return (paid, got, genuine);
            }
            uint256 amount = amountAt(cursor + 2, shift);
            paid = amountAt(cursor + 2 + size, shift);
            if (kind < Book.V3_WETH_0) {
                UniswapV2.flash(anchor >> 96, zeroForOne, amount, cursor, msg.data.length - cursor, how(head));
                return (paid, got, genuine);
            }
            if (amount < paid) revert IExecutor.BelowPromise(amount, paid);
            RouteLoan.borrow(weth, anchor, paid, amount, cursor, how(head));
            return (amount, got, genuine); // no more than what is owed goes out
        }
    }

    // --- parts -------------------------------------------------------------------------------------------------

    /// @dev What the guard remembers for the callback: the form, and the size of amounts.
    function how(uint256 head) private pure returns (uint256) {
        return (head & Program.ROUTE_IN_HEAD) << Program.ROUTE_IN_GUARD;
    }

    /// @dev How amounts are written: in `size` bytes (8, 10, 12 or 14), which are brought to the right by `shift` when
    /// the top bit is gone.
    function amounts(uint256 head) private pure returns (uint256 size, uint256 shift) {
        unchecked {
            size = Program.ROUTE_LEAST_SIZE + (head & Program.ROUTE_SIZE);
            shift = 257 - 8 * size;
        }
    }

    /// @dev The amount at `cursor`, without its top bit.
    function amountAt(uint256 cursor, uint256 shift) private pure returns (uint256 amount) {
        assembly ("memory-safe") {
            amount := shr(shift, shl(1, calldataload(cursor)))
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
    function chain(
        address token,
        uint256 amount,
        uint256 stride,
        uint256 shift,
        uint256 cursor,
        uint256 end,
        address recipient
    ) private returns (uint256 out, bool genuine) {
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
                revert(0x80, and(add(returndatasize(), 0x83), not(0x1f)))
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
                out := shr(shift, shl(1, field))
                mstore(add(0x84, side), out)
                cursor := add(cursor, stride)
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
