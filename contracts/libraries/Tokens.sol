// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IExecutor} from "../interfaces/IExecutor.sol";
import {Calls} from "./Calls.sol";

/// @title ERC-20 as it is in the wild
/// @notice A token may return nothing where the standard says `true`; it may not return anything else.
library Tokens {
    /// @notice The executor's own balance of `token`. Reverts NotAToken where there is none to read.
    function balance(address token) internal view returns (uint256 value) {
        bytes4 selector = IERC20.balanceOf.selector;
        bool success;
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, selector)
            mstore(add(data, 0x04), address())
            success := and(gt(returndatasize(), 0x1f), staticcall(gas(), token, data, 0x24, 0x00, 0x20))
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

    /// @notice Reverts AllowanceLeft unless `spender` may pull nothing of `token`.
    function requireNoAllowance(address token, address spender) internal view {
        bytes4 selector = IERC20.allowance.selector;
        bool none;
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, selector)
            mstore(add(data, 0x04), address())
            mstore(add(data, 0x24), spender)
            none := and(gt(returndatasize(), 0x1f), staticcall(gas(), token, data, 0x44, 0x00, 0x20))
            none := and(none, iszero(mload(0x00)))
        }
        if (!none) revert IExecutor.AllowanceLeft(token, spender);
    }

    /// @dev Calls `selector(account, amount)`. Good is: a word of 1, or no word at all from something with code.
    function send(address token, bytes4 selector, address account, uint256 amount) private {
        bool success;
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, selector)
            mstore(add(data, 0x04), account)
            mstore(add(data, 0x24), amount)
            mstore(0x00, 0) // so that silence is not read as `true`
            success := call(gas(), token, 0, data, 0x44, 0x00, 0x20)
            if iszero(eq(mload(0x00), 1)) {
                success := and(success, and(iszero(returndatasize()), iszero(iszero(extcodesize(token)))))
            }
        }
        if (!success) Calls.fail(token);
    }
}
