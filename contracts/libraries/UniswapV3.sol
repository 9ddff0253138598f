// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IUniswapV3Pool} from "../interfaces/IUniswapV3Pool.sol";
import {Calls} from "./Calls.sol";
import {Guard} from "./Guard.sol";

/// @title Swaps with Uniswap v3 pools and their forks
library UniswapV3 {
    /// @dev Where `uniswapV3SwapCallback(int256,int256,bytes)` and its like carry the bytes: behind the selector,
    /// three words and the length.
    uint256 private constant CALLBACK_POSITION = 0x04 + 4 * 0x20;

    /// @dev No limit: one inside of TickMath's MIN_SQRT_RATIO and MAX_SQRT_RATIO.
    uint256 private constant LOWEST_PRICE = 4_295_128_740;
    uint256 private constant HIGHEST_PRICE =
        1_461_446_703_485_210_103_287_273_052_203_988_822_378_723_970_341;

    /// @notice Swaps exactly `amount` into `pool`, which sends to `recipient`, then in its callback has the `size`
    /// bytes at `program` in calldata run.
    function swap(
        address pool,
        bool zeroForOne,
        uint256 amount,
        address recipient,
        uint256 program,
        uint256 size
    ) internal {
        bytes4 selector = IUniswapV3Pool.swap.selector;
        uint256 data;
        uint256 length;
        uint256 limit = zeroForOne ? LOWEST_PRICE : HIGHEST_PRICE;
        assembly ("memory-safe") {
            data := mload(0x40)
            length := add(data, 0xa4)
            mstore(data, selector)
            mstore(add(data, 0x04), recipient)
            mstore(add(data, 0x24), zeroForOne)
            mstore(add(data, 0x44), amount)
            mstore(add(data, 0x64), limit)
            mstore(add(data, 0x84), 0xa0)
            mstore(length, size)
            calldatacopy(add(length, 0x20), program, size)
        }
        Guard.open(pool, length, CALLBACK_POSITION);
        Calls.invoke(pool, data, 0xc4 + size);
        Guard.requireClosed(pool);
    }
}
