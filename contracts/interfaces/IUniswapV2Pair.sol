// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What the executor calls on a Uniswap v2 pair and its forks.
interface IUniswapV2Pair {
    /// @notice Sends the amounts to `to`; with `data` calls it back before it checks that it was paid.
    function swap(uint256 amount0Out, uint256 amount1Out, address to, bytes calldata data) external;
}
