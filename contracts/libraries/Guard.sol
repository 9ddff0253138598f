// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "../interfaces/IExecutor.sol";

/// @title The door that opens for one callback
/// @notice A step that expects a callback opens the guard for one caller and one program; the callback closes it
/// before it does anything. The transient word holds 240 bits of keccak256(caller, program); its low 16 bits say how
/// to take the callback: where in its calldata the program stands (so callbacks need no names, and any fork's will
/// do), what kind of program it is, and what to answer.
library Guard {
    /// @dev The transient slot of the guard; zero is closed.
    uint256 private constant SLOT = 0;

    /// @dev The transient slot of whom ETH is expected from, besides WETH.
    uint256 private constant ETH_SLOT = 1;

    // the low 16 bits
    uint256 internal constant POSITION = 0x01ff;
    uint256 internal constant ROUTE = 0x0600; // 0: steps, else the form of a route (Program.ROUTE_FORM_IN_GUARD)
    uint256 internal constant ANSWER = 0xe000; // 0: nothing
    uint256 internal constant ANSWER_BYTES = 0x2000; // empty bytes
    uint256 internal constant ANSWER_TRUE = 0x4000;
    uint256 internal constant ANSWER_ERC3156 = 0x6000; // keccak256("ERC3156FlashBorrower.onFlashLoan")

    /// @notice Opens the guard for the caller `from` and the `size` bytes at `program` in calldata, which the callback
    /// will bring as `how` says.
    function open(address from, uint256 program, uint256 size, uint256 how) internal {
        assembly ("memory-safe") {
            let data := mload(0x40) // behind what a step holds in memory
            mstore(data, from)
            calldatacopy(add(data, 0x20), program, size)
            tstore(SLOT, or(shl(16, keccak256(data, add(size, 0x20))), how))
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
    // slither-disable-next-line msg-value-in-nonpayable
    function close(uint256 word) internal returns (uint256 start, uint256 end) {
        uint256 difference;
        assembly ("memory-safe") {
            start := and(word, POSITION)
            let size := calldataload(sub(start, 0x20))
            mstore(0x104, caller()) // not at 0x80, where a route builds its first swap on zeros
            calldatacopy(0x124, start, size)
            difference := or(callvalue(), shr(16, xor(word, shl(16, keccak256(0x104, add(size, 0x20))))))
            end := add(start, size)
            tstore(SLOT, 0)
        }
        if (difference != 0) revert IExecutor.WrongCallback(msg.sender);
    }

    /// @notice Reverts CallbackMissing if the callback that `target` owed has not come.
    function requireClosed(address target) internal view {
        if (state() != 0) revert IExecutor.CallbackMissing(target);
    }

    /// @notice Lets `from` send ETH until another one is named.
    function expectEth(address from) internal {
        assembly ("memory-safe") {
            tstore(ETH_SLOT, from)
        }
    }

    /// @notice Whether ETH may come from `from`, which is not zero.
    function isEthExpected(address from) internal view returns (bool expected) {
        assembly ("memory-safe") {
            expected := eq(tload(ETH_SLOT), from)
        }
    }
}
