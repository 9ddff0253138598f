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

    /// @notice Swaps through `hops` pairs whose inputs are paid already or pass from pair to pair. The hops stand
    /// at `at`: pair (20 bytes), amount out (`size` bytes), whose top bit is zeroForOne. Returns the position
    /// behind them.
    function chain(uint256 at, uint256 hops, uint256 size, address recipient) internal returns (uint256) {
        bytes4 selector = IUniswapV2Pair.swap.selector;
        uint256 data;
        assembly ("memory-safe") {
            data := mload(0x40)
            mstore(data, selector)
            mstore(add(data, 0x64), 0x80)
            mstore(add(data, 0x84), 0)
        }
        unchecked {
            uint256 last = at + (hops - 1) * (20 + size);
            uint256 shift = 257 - 8 * size;
            address pair = Calldata.addressAt(at);
            while (true) {
                uint256 next = at + 20 + size;
                address to = at == last ? recipient : Calldata.addressAt(next);
                assembly ("memory-safe") {
                    let out := calldataload(add(at, 20))
                    let side := shl(5, shr(255, out)) // zeroForOne gives token 1: the second word
                    mstore(add(add(data, 0x04), side), shr(shift, shl(1, out)))
                    mstore(add(add(data, 0x04), xor(side, 0x20)), 0)
                    mstore(add(data, 0x44), to)
                }
                Calls.invoke(pair, data, 0xa4);
                if (at == last) return next;
                at = next;
                pair = to;
            }
        }
        return at;
    }

    /// @notice Has `pair` send `amount` to `recipient` before it is paid, and run the `size` bytes at `program` in
    /// calldata in its callback.
    function flash(
        address pair,
        bool zeroForOne,
        uint256 amount,
        address recipient,
        uint256 program,
        uint256 size
    ) internal {
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
            mstore(add(data, 0x44), recipient)
            mstore(add(data, 0x64), 0x80)
            mstore(length, size)
            calldatacopy(add(length, 0x20), program, size)
        }
        Guard.open(pair, length, CALLBACK_POSITION);
        Calls.invoke(pair, data, 0xa4 + size);
        Guard.requireClosed(pair);
    }
}
