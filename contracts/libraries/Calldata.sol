// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Book} from "./Book.sol";

/// @title Reads packed fields of a program, which lies in calldata
/// @notice Calldata past its end reads as zeros.
library Calldata {
    uint256 private constant INLINE = 0xff;

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

    /// @notice The address at `cursor`, and where the next field begins: 2 bytes are an index of the book; the byte
    /// 0xff stands before an address that is written out.
    function accountAt(uint256 cursor) internal pure returns (address value, uint256 next) {
        unchecked {
            if (byteAt(cursor) == INLINE) {
                assembly ("memory-safe") {
                    value := shr(96, calldataload(add(cursor, 1)))
                }
                return (value, cursor + 21);
            }
            return (Book.account(Book.entryAt(cursor)), cursor + 2);
        }
    }
}
