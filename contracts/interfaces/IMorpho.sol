// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What the executor calls on Morpho Blue.
interface IMorpho {
    /// @notice Lends without fee; calls `onMorphoFlashLoan(assets, data)`, then pulls `assets` by allowance.
    function flashLoan(address token, uint256 assets, bytes calldata data) external;
}
