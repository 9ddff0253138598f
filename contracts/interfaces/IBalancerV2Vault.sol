// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What the executor calls on Balancer's v2 Vault.
interface IBalancerV2Vault {
    struct SingleSwap {
        bytes32 poolId;
        uint8 kind; // 0: exactly `amount` goes in
        address assetIn;
        address assetOut;
        uint256 amount;
        bytes userData;
    }

    struct FundManagement {
        address sender;
        bool fromInternalBalance;
        address recipient;
        bool toInternalBalance;
    }

    /// @notice Lends; calls `receiveFlashLoan(tokens, amounts, fees, data)`, then checks that it was paid back.
    function flashLoan(
        address recipient,
        address[] calldata tokens,
        uint256[] calldata amounts,
        bytes calldata userData
    ) external;

    /// @notice Pulls what goes in by allowance, sends what comes out, at least `limit`.
    function swap(
        SingleSwap calldata singleSwap,
        FundManagement calldata funds,
        uint256 limit,
        uint256 deadline
    ) external payable returns (uint256 amount);
}
