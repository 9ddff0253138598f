// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "../interfaces/IExecutor.sol";

/// @title The door that opens for one callback
/// @notice A step that expects a callback opens the guard for one caller and one program; the callback closes it
/// before it does anything. The transient word holds 240 bits of keccak256(caller, program), and in its low 16 bits
/// where in the callback's calldata the program stands: so callbacks need no names, and any fork's will do.
library Guard {
    /// @dev The transient slot of the guard; zero is closed.
    uint256 private constant SLOT = 0;

    /// @notice Opens the guard for the caller `from` and the program in memory behind the word `length`, which its length
    /// stands in. `position` is where the callback will bring the program's first byte.
    function open(address from, uint256 length, uint256 position) internal {
        assembly ("memory-safe") {
            let size := mload(length)
            mstore(length, from) // hashed in the place of the length, which is then put back
            let hash := keccak256(length, add(size, 0x20))
            mstore(length, size)
            tstore(SLOT, or(shl(16, hash), position))
        }
    }

    /// @notice The guard's word.
    function state() internal view returns (uint256 word) {
        assembly ("memory-safe") {
            word := tload(SLOT)
        }
    }

    /// @notice Closes the guard, whose word is `word`, and returns where the program begins and ends in calldata.
    /// Reverts WrongCallback unless this call comes from the caller, with the program, that it was opened for.
    function close(uint256 word) internal returns (uint256 start, uint256 end) {
        bool same;
        assembly ("memory-safe") {
            start := and(word, 0xffff)
            let size := calldataload(sub(start, 0x20))
            let data := mload(0x40)
            mstore(data, caller())
            calldatacopy(add(data, 0x20), start, size)
            same := eq(word, or(shl(16, keccak256(data, add(size, 0x20))), start))
            end := add(start, size)
            tstore(SLOT, 0)
        }
        if (!same) revert IExecutor.WrongCallback(msg.sender);
    }

    /// @notice Reverts CallbackMissing if the callback that `target` owed has not come.
    function requireClosed(address target) internal view {
        if (state() != 0) revert IExecutor.CallbackMissing(target);
    }
}
