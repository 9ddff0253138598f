// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IWETH} from "../interfaces/IWETH.sol";
import {Calldata} from "./Calldata.sol";
import {Calls} from "./Calls.sol";
import {Fields} from "./Fields.sol";
import {Guard} from "./Guard.sol";
import {Lenders} from "./Lenders.sol";
import {Program} from "./Program.sol";
import {StepsV4} from "./StepsV4.sol";
import {StepsVenues} from "./StepsVenues.sol";
import {Tokens} from "./Tokens.sol";
import {UniswapV2} from "./UniswapV2.sol";
import {UniswapV3} from "./UniswapV3.sol";

/// @title Runs the steps of a program (see `Program` for its grammar)
/// @dev Arithmetic is unchecked: it is on positions in calldata.
library Interpreter {
    /// @notice Runs the steps from `cursor` to `end` in calldata.
    function run(address weth, uint256 cursor, uint256 end) internal {
        unchecked {
            while (cursor < end) {
                uint256 head = Calldata.byteAt(cursor++);
                if (head < Program.V3_SWAP) cursor = v2Chain(weth, head, cursor);
                else if (head < Program.PAY) cursor = nestedSwap(head, cursor);
                else if (head < Program.TIP) cursor = pay(weth, head, cursor);
                else cursor = rare(weth, head, cursor);
            }
        }
    }

    /// @dev The steps that a busy day has few of.
    function rare(address weth, uint256 head, uint256 cursor) private returns (uint256) {
        if (head < Program.MORPHO) return money(weth, head, cursor);
        if (head < Program.V3_FLASH) return loan(weth, head, cursor);
        if (head < Program.V4_UNLOCK) return flashV3(head, cursor);
        if (head < Program.CURVE) return StepsV4.run(weth, head, cursor);
        return StepsVenues.run(weth, head, cursor);
    }

    // --- swaps -------------------------------------------------------------------------------------------------

    function v2Chain(address weth, uint256 head, uint256 cursor) private returns (uint256) {
        unchecked {
            uint256 size = Fields.amountSize(head);
            address token = weth;
            uint256 paid;
            if (head & Program.V2_TOKEN != 0) (token, cursor) = Fields.declaredAt(cursor);
            if (head & Program.V2_PAY != 0) (paid, cursor) = Fields.amountAt(head, cursor);
            address pair;
            (pair, cursor) = Calldata.accountAt(cursor);
            if (head & Program.V2_PAY != 0) Tokens.transfer(token, pair, paid);
            for (uint256 left = head & Program.V2_PAIRS;; --left) {
                uint256 field = Calldata.uintAt(cursor, 32);
                cursor += size;
                address to = head & Program.V2_TO_CALLER == 0 ? address(this) : msg.sender;
                if (left != 0) (to, cursor) = Calldata.accountAt(cursor);
                UniswapV2.swap(pair, field >> 255, field << 1 >> (257 - 8 * size), to);
                if (left == 0) return cursor;
                pair = to;
            }
        }
        return cursor;
    }

    function nestedSwap(uint256 head, uint256 cursor) private returns (uint256 next) {
        address pool;
        uint256 amount;
        uint256 length;
        (pool, cursor) = Calldata.accountAt(cursor);
        (amount, cursor) = Fields.amountAt(head, cursor);
        (cursor, length, next) = Fields.nestedAt(cursor);
        uint256 zeroForOne = head & Program.ZERO_FOR_ONE;
        if (head < Program.V2_FLASH) {
            address to = recipientOf(head, cursor, next);
            UniswapV3.swap(uint160(pool), zeroForOne, amount, to, cursor, length, 0);
        } else {
            Calls.clear();
            UniswapV2.flash(uint160(pool), zeroForOne, amount, cursor, length, 0);
        }
        Guard.requireClosed(pool);
    }

    function recipientOf(uint256 head, uint256 nested, uint256 next) private view returns (address to) {
        uint256 recipient = head & Program.RECIPIENT;
        if (recipient == Program.TO_EXECUTOR) return address(this);
        if (recipient == Program.TO_CALLER) return msg.sender;
        unchecked {
            (to,) = Calldata.accountAt(1 + (recipient == Program.TO_NESTED_POOL ? nested : next));
        }
    }

    // --- money -------------------------------------------------------------------------------------------------

    function pay(address weth, uint256 head, uint256 cursor) private returns (uint256) {
        address token;
        address to;
        uint256 amount;
        (token, cursor) = Fields.spentAt(weth, head, cursor);
        (to, cursor) = Fields.recipientAt(msg.sender, head, cursor);
        (amount, cursor) = Fields.amountAt(head, cursor);
        Tokens.transfer(token, to, amount);
        return cursor;
    }

    /// @dev tip, wrap
    function money(address weth, uint256 head, uint256 cursor) private returns (uint256) {
        uint256 amount;
        (amount, cursor) = Fields.amountAt(head, cursor);
        if (head < Program.WRAP) Tokens.payBuilder(weth, amount);
        else if (head & Program.UNWRAP != 0) IWETH(weth).withdraw(amount);
        else IWETH(weth).deposit{value: amount}();
        return cursor;
    }

    // --- loans -------------------------------------------------------------------------------------------------

    function loan(address weth, uint256 head, uint256 cursor) private returns (uint256 next) {
        address lender;
        address token;
        uint256 amount;
        (lender, cursor) = Calldata.accountAt(cursor);
        (token, cursor) = Fields.spentAt(weth, head, cursor);
        (amount, cursor) = Fields.amountAt(head, cursor);
        if (head >= Program.BALANCER_V2 && head < Program.AAVE_V3) {
            uint256 length;
            (cursor, length, next) = Fields.nestedAt(cursor);
            Lenders.balancer(lender, token, amount, cursor, length, 0);
            Guard.requireClosed(lender);
        } else {
            next = pulledLoan(lender, token, amount, head, cursor);
        }
    }

    /// @dev From a lender that takes back what is owed by an allowance.
    function pulledLoan(address lender, address token, uint256 amount, uint256 head, uint256 cursor)
        private
        returns (uint256 next)
    {
        uint256 owed = amount;
        uint256 length;
        if (head >= Program.AAVE_V3) (owed, cursor) = Fields.amountAt(head, cursor);
        (cursor, length, next) = Fields.nestedAt(cursor);
        uint256 before = Tokens.allow(token, lender, owed);
        if (head < Program.BALANCER_V2) Lenders.morpho(lender, token, amount, cursor, length, 0);
        else if (head < Program.ERC3156) Lenders.aave(lender, token, amount, cursor, length, 0);
        else Lenders.erc3156(lender, token, amount, cursor, length);
        Guard.requireClosed(lender);
        Tokens.endAllowance(token, lender, before);
    }

    function flashV3(uint256 head, uint256 cursor) private returns (uint256 next) {
        address pool;
        address to;
        uint256 amount;
        uint256 length;
        (pool, cursor) = Calldata.accountAt(cursor);
        (to, cursor) = Fields.recipientAt(address(this), head, cursor);
        (amount, cursor) = Fields.amountAt(head, cursor);
        (cursor, length, next) = Fields.nestedAt(cursor);
        UniswapV3.flash(pool, head & Program.TOKEN_1, amount, to, cursor, length, 0);
        Guard.requireClosed(pool);
    }
}
