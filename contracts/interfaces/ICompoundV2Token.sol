// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What the executor calls on a cToken of Compound v2 and its forks. Zero is success: others do not revert.
interface ICompoundV2Token {
    /// @notice Pulls `repayAmount` of the underlying by allowance, and gives the caller the borrower's `collateral`
    /// cTokens.
    function liquidateBorrow(address borrower, uint256 repayAmount, address collateral)
        external
        returns (uint256);

    /// @notice Burns cTokens, sends the underlying.
    function redeem(uint256 redeemTokens) external returns (uint256);
}
