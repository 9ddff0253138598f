// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What the executor calls on Aave v3's Pool and its forks (Spark).
interface IAaveV3Pool {
    /// @notice Lends; calls `executeOperation(asset, amount, premium, initiator, params)`, which must return true,
    /// then pulls amount and premium by allowance.
    function flashLoanSimple(
        address receiver,
        address asset,
        uint256 amount,
        bytes calldata params,
        uint16 referralCode
    ) external;

    /// @notice Pays at most `debtToCover` of the debt of `user`, whose health factor is below 1, by allowance; sends
    /// collateral with the bonus.
    function liquidationCall(
        address collateralAsset,
        address debtAsset,
        address user,
        uint256 debtToCover,
        bool receiveAToken
    ) external;
}
