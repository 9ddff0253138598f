// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Reads packed fields of a program, which lies in calldata
/// @notice Calldata past its end reads as zeros.
library Calldata {
    /// @notice The byte at `at`.
    function byteAt(uint256 at) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := byte(0, calldataload(at))
        }
    }

    /// @notice The big-endian number of `size` bytes at `at`; `size` is at most 32, and no bytes are zero.
    function uintAt(uint256 at, uint256 size) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(sub(256, shl(3, size)), calldataload(at))
        }
    }

    /// @notice The address at `at`.
    function addressAt(uint256 at) internal pure returns (address value) {
        assembly ("memory-safe") {
            value := shr(96, calldataload(at))
        }
    }
}
