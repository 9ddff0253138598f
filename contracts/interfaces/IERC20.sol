// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What the executor calls on a token.
interface IERC20 {
    function balanceOf(address account) external view returns (uint256);
    function allowance(address account, address spender) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
    function approve(address spender, uint256 amount) external returns (bool);
}
