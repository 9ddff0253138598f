// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What the executor calls on Morpho Blue.
interface IMorpho {
    struct MarketParams {
        address loanToken;
        address collateralToken;
        address oracle;
        address irm;
        uint256 lltv;
    }

    /// @notice Lends without fee; calls `onMorphoFlashLoan(assets, data)`, then pulls `assets` by allowance.
    function flashLoan(address token, uint256 assets, bytes calldata data) external;

    /// @notice Sends `seizedAssets` of collateral (or what `repaidShares` are worth: one of the two is zero), calls
    /// `onMorphoLiquidate(repaidAssets, data)`, then pulls the repaid assets by allowance.
    function liquidate(
        MarketParams calldata marketParams,
        address borrower,
        uint256 seizedAssets,
        uint256 repaidShares,
        bytes calldata data
    ) external returns (uint256 seized, uint256 repaid);
}
