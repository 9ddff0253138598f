// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "../interfaces/IExecutor.sol";

/// @title The tokens besides WETH that the running program may spend
/// @notice A program declares them; at its end none may be less than at its start. Nested programs run in calls of
/// their own, so the marks are transient, one slot a token.
library Declared {
    /// @notice Marks `token`, with the executor's balance of it.
    function open(address token, uint256 atStart) internal {
        uint256 slot = slotOf(token);
        if (atStart == type(uint256).max) revert IExecutor.NotAToken(token);
        assembly ("memory-safe") {
            tstore(slot, add(atStart, 1))
        }
    }

    /// @notice Unmarks `token`, and returns the balance that it was marked with. Reverts Undeclared if it is not marked.
    function close(address token) internal returns (uint256 atStart) {
        uint256 slot = slotOf(token);
        check(token);
        assembly ("memory-safe") {
            atStart := sub(tload(slot), 1)
            tstore(slot, 0)
        }
    }

    /// @notice Reverts Undeclared unless `token` is marked.
    function check(address token) internal view {
        uint256 slot = slotOf(token);
        bool declared;
        assembly ("memory-safe") {
            declared := tload(slot)
        }
        if (!declared) revert IExecutor.Undeclared(token);
    }

    /// @dev Above the addresses, so no token shares the guard's slot.
    function slotOf(address token) private pure returns (uint256) {
        return (1 << 160) | uint160(token);
    }
}
