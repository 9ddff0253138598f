// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Reads packed fields of a program, which lies in calldata
/// @notice Calldata past its end reads as zeros.
library Calldata {
    /// @notice The byte at `cursor`.
    function byteAt(uint256 cursor) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := byte(0, calldataload(cursor))
        }
    }

    /// @notice The big-endian number of `size` bytes at `cursor`; `size` is at most 32, and no bytes are zero.
    function uintAt(uint256 cursor, uint256 size) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(sub(256, shl(3, size)), calldataload(cursor))
        }
    }

    /// @notice The address at `cursor`.
    function addressAt(uint256 cursor) internal pure returns (address value) {
        assembly ("memory-safe") {
            value := shr(96, calldataload(cursor))
        }
    }
}
