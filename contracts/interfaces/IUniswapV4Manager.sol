// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What the executor calls on Uniswap v4's PoolManager. The zero address is ETH.
interface IUniswapV4Manager {
    struct PoolKey {
        address currency0;
        address currency1;
        uint24 fee;
        int24 tickSpacing;
        address hooks;
    }

    struct SwapParams {
        bool zeroForOne;
        int256 amountSpecified;
        uint160 sqrtPriceLimitX96;
    }

    /// @notice Calls `unlockCallback(data)`, in which debts may be made; at its end none may be left.
    function unlock(bytes calldata data) external returns (bytes memory);

    /// @notice Swaps, on account. A negative amount is what goes in exactly.
    function swap(PoolKey calldata key, SwapParams calldata params, bytes calldata hookData)
        external
        returns (int256 delta);

    /// @notice Sends `amount`, on account.
    function take(address currency, address to, uint256 amount) external;

    /// @notice Remembers its balance of a token, so that `settle` knows what came in.
    function sync(address currency) external;

    /// @notice Credits what came in since `sync`, or the ETH that is sent with the call.
    function settle() external payable returns (uint256 paid);
}
