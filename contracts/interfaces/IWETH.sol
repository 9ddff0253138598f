// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What the executor calls on wrapped ETH beyond ERC-20.
interface IWETH {
    /// @notice Mints as much as ETH is sent with the call.
    function deposit() external payable;

    /// @notice Burns `amount` and sends as much ETH to the caller.
    function withdraw(uint256 amount) external;
}
