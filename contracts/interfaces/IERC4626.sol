// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What the executor calls on a tokenised vault.
interface IERC4626 {
    /// @notice Pulls `assets` by allowance, mints shares.
    function deposit(uint256 assets, address receiver) external returns (uint256 shares);

    /// @notice Burns `shares`, sends assets.
    function redeem(uint256 shares, address receiver, address owner) external returns (uint256 assets);
}
