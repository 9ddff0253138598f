// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IUniswapV2Pair} from "../interfaces/IUniswapV2Pair.sol";
import {Calls} from "./Calls.sol";

/// @title Swaps with Uniswap v2 pairs and their forks
library UniswapV2 {
    /// @dev Where `uniswapV2Call(address,uint256,uint256,bytes)` and its like carry the bytes: behind the selector,
    /// four words and the length.
    uint256 private constant CALLBACK_POSITION = 0xa4;
    uint256 private constant SLOT = 0;

    /// @notice Has `pair`, which has been paid, send `amount` to `to`.
    function swap(address pair, uint256 zeroForOne, uint256 amount, address to) internal {
        bytes4 selector = IUniswapV2Pair.swap.selector;
        assembly ("memory-safe") {
            let side := shl(5, zeroForOne) // zeroForOne gives token 1: the second word
            mstore(0x80, selector)
            mstore(add(0x84, side), amount)
            mstore(sub(0xa4, side), 0)
            mstore(0xc4, to)
            mstore(0xe4, 0x80)
            mstore(0x104, 0)
        }
        Calls.invoke(pair, 0x80, 0xa4);
    }

    /// @notice Has `pair` send `amount` before it is paid, and the `size` bytes at `program` in calldata run in its
    /// callback (`how`: see `Guard`). A pair calls whom it sends to: the executor. If it is not known to be genuine,
    /// `Guard.requireClosed` must follow. Both amounts in memory are zero before (`Calls.clear`).
    function flash(
        uint256 pair,
        uint256 zeroForOne,
        uint256 amount,
        uint256 program,
        uint256 size,
        uint256 how
    ) internal {
        bytes4 selector = IUniswapV2Pair.swap.selector;
        bool success;
        assembly ("memory-safe") {
            let side := shl(5, zeroForOne)
            mstore(0x80, selector)
            mstore(add(0x84, side), amount)
            mstore(0xc4, address())
            mstore(0xe4, 0x80)
            mstore(0x104, pair) // hashed in the place of the length
            calldatacopy(0x124, program, size)
            tstore(SLOT, or(shl(16, keccak256(0x104, add(size, 0x20))), or(how, CALLBACK_POSITION)))
            mstore(0x104, size)
            success := call(gas(), pair, 0, 0x80, add(size, 0xa4), 0, 0)
        }
        if (!success) Calls.fail(address(uint160(pair)));
    }
}
