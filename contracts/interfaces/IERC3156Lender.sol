// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What the executor calls on an ERC-3156 lender.
interface IERC3156Lender {
    /// @notice Lends; calls `onFlashLoan(initiator, token, amount, fee, data)`, which must return the standard's hash,
    /// then takes amount and fee by allowance.
    function flashLoan(address receiver, address token, uint256 amount, bytes calldata data)
        external
        returns (bool);
}
