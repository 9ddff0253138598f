// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "../interfaces/IExecutor.sol";

/// @title Calls whose failure stops the trade
/// @notice What is to be called with is built in memory from 0x80 on, where Solidity's own allocations begin. So what
/// these hold does not outlive a call of `Calls`, `Tokens` or a pool: a step allocates behind its last approval. (That
/// the compiler keeps no variables there either is tested.)
library Calls {
    /// @notice Calls `target` with the `size` bytes at `data` in memory; what it returns is ignored.
    function invoke(address target, uint256 data, uint256 size) internal {
        bool success;
        assembly ("memory-safe") {
            success := call(gas(), target, 0, data, size, 0, 0)
        }
        if (!success) fail(target);
    }

    /// @notice Calls `target` with `data` and `value` wei of ETH.
    function invoke(address target, uint256 value, bytes memory data) internal {
        bool success;
        assembly ("memory-safe") {
            success := call(gas(), target, value, add(data, 0x20), mload(data), 0, 0)
        }
        if (!success) fail(target);
    }

    /// @notice Sends `amount` wei of ETH to `target`.
    function sendEth(address target, uint256 amount) internal {
        bool success;
        assembly ("memory-safe") {
            success := call(gas(), target, amount, 0, 0, 0, 0)
        }
        if (!success) fail(target);
    }

    /// @notice Zeros where a call's first two words are built.
    function clear() internal pure {
        assembly ("memory-safe") {
            calldatacopy(0x80, calldatasize(), 0x44)
        }
    }

    /// @notice Ends this frame, which spares the way back through its functions.
    function stop() internal pure {
        assembly ("memory-safe") {
            stop()
        }
    }

    /// @notice Reverts with the target and the reason of the call that just failed.
    function fail(address target) internal pure {
        bytes memory reason;
        assembly ("memory-safe") {
            reason := mload(0x40)
            mstore(reason, returndatasize())
            returndatacopy(add(reason, 0x20), 0, returndatasize())
            mstore(0x40, and(add(add(reason, returndatasize()), 0x3f), not(0x1f)))
        }
        revert IExecutor.CallFailed(target, reason);
    }
}
