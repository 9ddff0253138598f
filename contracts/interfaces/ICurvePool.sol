// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What the executor calls on Curve's pools: plain ones number their coins by int128, crypto ones by uint256.
interface ICurvePool {
    /// @notice Pulls `dx` of coin `i` by allowance, sends at least `minDy` of coin `j` to the caller.
    function exchange(int128 i, int128 j, uint256 dx, uint256 minDy) external payable;

    /// @notice The same in crypto pools.
    function exchange(uint256 i, uint256 j, uint256 dx, uint256 minDy) external payable;

    /// @notice The same, with WETH as ETH on either side if `useEth`.
    function exchange(uint256 i, uint256 j, uint256 dx, uint256 minDy, bool useEth) external payable;

    /// @notice Swaps what has been sent to the pool before (stableswap-NG).
    function exchange_received(int128 i, int128 j, uint256 dx, uint256 minDy, address receiver)
        external
        returns (uint256);
}
