// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IUniswapV2Pair} from "../interfaces/IUniswapV2Pair.sol";
import {Calldata} from "./Calldata.sol";
import {Calls} from "./Calls.sol";
import {Guard} from "./Guard.sol";

/// @title Swaps with Uniswap v2 pairs and their forks
library UniswapV2 {
    /// @dev Where `uniswapV2Call(address,uint256,uint256,bytes)` and its like carry the bytes: behind the selector,
    /// four words and the length.
    uint256 private constant CALLBACK_POSITION = 0x04 + 5 * 0x20;

    /// @notice Swaps through the pairs of the hops from `cursor` to `end`, the first of which has been paid already;
    /// each pair sends to the next, the last to `recipient`. A hop is the pair (20 bytes) and the amount out (`size`
    /// bytes), whose top bit is zeroForOne.
    function chain(uint256 cursor, uint256 end, uint256 size, address recipient) internal {
        bytes4 selector = IUniswapV2Pair.swap.selector;
        uint256 data;
        assembly ("memory-safe") {
            data := mload(0x40)
            mstore(data, selector)
            mstore(add(data, 0x64), 0x80)
            mstore(add(data, 0x84), 0)
        }
        unchecked {
            uint256 shift = 257 - 8 * size;
            address pair = Calldata.addressAt(cursor);
            do {
                uint256 out = Calldata.uintAt(cursor + 20, 32);
                cursor += 20 + size;
                address to = cursor == end ? recipient : Calldata.addressAt(cursor);
                assembly ("memory-safe") {
                    let side := shl(5, shr(255, out)) // zeroForOne gives token 1: the second word
                    mstore(add(add(data, 0x04), side), shr(shift, shl(1, out)))
                    mstore(add(add(data, 0x04), xor(side, 0x20)), 0)
                    mstore(add(data, 0x44), to)
                }
                Calls.invoke(pair, data, 0xa4);
                pair = to;
            } while (cursor != end);
        }
    }

    /// @notice Has `pair` send `amount` before it is paid, and the `size` bytes at `program` in calldata run in its
    /// callback. A pair calls whom it sends to: the executor.
    function flash(address pair, bool zeroForOne, uint256 amount, uint256 program, uint256 size) internal {
        bytes4 selector = IUniswapV2Pair.swap.selector;
        uint256 data;
        uint256 length;
        assembly ("memory-safe") {
            data := mload(0x40)
            length := add(data, 0x84)
            let side := shl(5, zeroForOne)
            mstore(data, selector)
            mstore(add(add(data, 0x04), side), amount)
            mstore(add(add(data, 0x04), xor(side, 0x20)), 0)
            mstore(add(data, 0x44), address())
            mstore(add(data, 0x64), 0x80)
            mstore(length, size)
            calldatacopy(add(length, 0x20), program, size)
        }
        Guard.open(pair, length, CALLBACK_POSITION);
        Calls.invoke(pair, data, 0xa4 + size);
        Guard.requireClosed(pair);
    }
}
