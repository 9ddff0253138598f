// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IExecutor} from "../interfaces/IExecutor.sol";
import {IWETH} from "../interfaces/IWETH.sol";
import {Calls} from "./Calls.sol";

/// @title ERC-20 as it is in the wild
/// @notice A token may return nothing where the standard says `true`; it may not return anything else.
library Tokens {
    /// @notice The executor's own balance of `token`. Reverts NotAToken where there is none to read.
    function balance(address token) internal view returns (uint256 value) {
        bytes4 selector = IERC20.balanceOf.selector;
        bool success;
        assembly ("memory-safe") {
            mstore(0x80, selector)
            mstore(0x84, address())
            success := and(gt(returndatasize(), 0x1f), staticcall(gas(), token, 0x80, 0x24, 0x00, 0x20))
            value := mload(0x00)
        }
        if (!success) revert IExecutor.NotAToken(token);
    }

    /// @notice Sends `amount` of `token` to `to`.
    function transfer(address token, address to, uint256 amount) internal {
        send(token, IERC20.transfer.selector, to, amount);
    }

    /// @notice Lets `spender` pull `amount` of `token`.
    function approve(address token, address spender, uint256 amount) internal {
        send(token, IERC20.approve.selector, spender, amount);
    }

    /// @notice What `spender` may pull of `token`. Reverts NotAToken where there is no answer.
    function allowance(address token, address spender) internal view returns (uint256 value) {
        bytes4 selector = IERC20.allowance.selector;
        bool success;
        assembly ("memory-safe") {
            mstore(0x80, selector)
            mstore(0x84, address())
            mstore(0xa4, spender)
            success := and(gt(returndatasize(), 0x1f), staticcall(gas(), token, 0x80, 0x44, 0x00, 0x20))
            value := mload(0x00)
        }
        if (!success) revert IExecutor.NotAToken(token);
    }

    /// @notice Lets `spender` pull `amount` more of `token`; returns what it could pull `before`, which is something
    /// where a step stands in a loan of the same spender.
    function allow(address token, address spender, uint256 amount) internal returns (uint256 before) {
        before = allowance(token, spender);
        if (before != 0) approve(token, spender, 0); // some tokens change no allowance but from and to zero
        approve(token, spender, before + amount);
    }

    /// @notice Takes back what `spender` may pull of `token` more than `before`, and restores what an inner step used.
    function endAllowance(address token, address spender, uint256 before) internal {
        uint256 left = allowance(token, spender);
        if (left == before) return;
        if (left != 0) approve(token, spender, 0);
        if (before != 0) approve(token, spender, before);
    }

    /// @notice Unwraps `amount` of WETH and sends it to the block's builder.
    function payBuilder(address weth, uint256 amount) internal {
        IWETH(weth).withdraw(amount);
        Calls.sendEth(block.coinbase, amount);
    }

    /// @dev Calls `selector(account, amount)`. Good is: a word of 1, or no word at all from something with code.
    function send(address token, bytes4 selector, address account, uint256 amount) private {
        bool success;
        assembly ("memory-safe") {
            mstore(0x80, selector)
            mstore(0x84, account)
            mstore(0xa4, amount)
            mstore(0x00, 0) // so that silence is not read as `true`
            success := call(gas(), token, 0, 0x80, 0x44, 0x00, 0x20)
            if iszero(eq(mload(0x00), 1)) {
                success := and(success, and(iszero(returndatasize()), iszero(iszero(extcodesize(token)))))
            }
        }
        if (!success) Calls.fail(token);
    }
}
