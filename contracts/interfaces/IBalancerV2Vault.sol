// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What the executor calls on Balancer's v2 Vault.
interface IBalancerV2Vault {
    /// @notice Lends; calls `receiveFlashLoan(tokens, amounts, fees, data)`, then checks that it was paid back.
    function flashLoan(
        address recipient,
        address[] calldata tokens,
        uint256[] calldata amounts,
        bytes calldata userData
    ) external;
}
