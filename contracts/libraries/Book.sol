// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The address book behind the executor's code
/// @notice A deployment can append the addresses that its programs name most often to the runtime code, from byte
/// START on; a program then writes 2 bytes instead of 20, which saves 290 gas each time. An entry is the address (20
/// bytes), its kind (1 byte), and, of a v2 pair, the index of its other token (2 bytes). What lies behind the end of
/// the book, or of code without one, reads as zeros: nobody.
///
/// Kinds above OTHER are promises of the owner, who makes the book, and what a `Route` rests on: this is a genuine
/// pool of that protocol, with WETH on that side, and its other token sends what it is told to. `mev book` makes and
/// checks them by asking the factories.
library Book {
    /// @notice Where the book begins; above the size of the code, which a test holds.
    uint256 internal constant START = 0x4c00;
    uint256 internal constant ENTRY_SIZE = 23;

    uint256 internal constant OTHER = 0;
    uint256 internal constant V2_WETH_0 = 1; // a v2 pair whose token 0 is WETH
    uint256 internal constant V2_WETH_1 = 2;
    uint256 internal constant V3_WETH_0 = 3;
    uint256 internal constant V3_WETH_1 = 4;
    uint256 internal constant LENDER_MORPHO = 5; // and other lenders of WETH
    uint256 internal constant LENDER_BALANCER_V2 = 6;
    uint256 internal constant LENDER_AAVE_V3 = 7;
    uint256 internal constant LENDER_V4 = 8;
    uint256 internal constant LENDER_V2_WETH_0 = 9;
    uint256 internal constant LENDER_V2_WETH_1 = 10;
    uint256 internal constant LENDER_V3_WETH_0 = 11;
    uint256 internal constant LENDER_V3_WETH_1 = 12;

    /// @notice The entry whose index stands at `cursor` in calldata: the address in the top 20 bytes, then the kind.
    function entryAt(uint256 cursor) internal pure returns (uint256 word) {
        assembly ("memory-safe") {
            codecopy(0x00, add(START, mul(ENTRY_SIZE, shr(240, calldataload(cursor)))), 0x20)
            word := mload(0x00)
        }
    }

    /// @notice The address of an entry.
    function account(uint256 word) internal pure returns (address value) {
        assembly ("memory-safe") {
            value := shr(96, word)
        }
    }

    /// @notice The other token of the v2 pair of an entry.
    function otherToken(uint256 word) internal pure returns (address value) {
        assembly ("memory-safe") {
            codecopy(0x00, add(START, mul(ENTRY_SIZE, and(0xffff, shr(72, word)))), 0x20)
            value := shr(96, mload(0x00))
        }
    }

    /// @notice The kind of an entry.
    function kind(uint256 word) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := byte(20, word)
        }
    }
}
