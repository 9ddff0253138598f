// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What the executor calls on a Uniswap v3 pool and its forks.
interface IUniswapV3Pool {
    /// @notice Sends the output to `recipient`, calls the sender back, and checks that it was paid.
    function swap(
        address recipient,
        bool zeroForOne,
        int256 amountSpecified,
        uint160 sqrtPriceLimitX96,
        bytes calldata data
    ) external returns (int256 amount0, int256 amount1);

    /// @notice Sends the amounts, calls the recipient back, and checks that it was paid with the fee.
    function flash(address recipient, uint256 amount0, uint256 amount1, bytes calldata data) external;
}
