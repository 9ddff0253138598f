// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IBalancerV2Vault} from "../interfaces/IBalancerV2Vault.sol";
import {IMorpho} from "../interfaces/IMorpho.sol";
import {Calls} from "./Calls.sol";
import {Guard} from "./Guard.sol";
import {Tokens} from "./Tokens.sol";

/// @title Flash loans: the `size` bytes at `program` in calldata run while the loan is out
library Lenders {
    /// @dev `onMorphoFlashLoan(uint256,bytes)`: the bytes stand behind the selector, two words and the length.
    uint256 private constant MORPHO_POSITION = 0x04 + 3 * 0x20;

    /// @dev `receiveFlashLoan(address[],uint256[],uint256[],bytes)`: behind the selector, four offsets, three
    /// arrays of one, and the length.
    uint256 private constant BALANCER_POSITION = 0x04 + 11 * 0x20;

    /// @notice Borrows from Morpho Blue, which pulls the amount back by an allowance that it uses up.
    function morpho(address lender, address token, uint256 amount, uint256 program, uint256 size) internal {
        Tokens.approve(token, lender, amount);
        bytes4 selector = IMorpho.flashLoan.selector;
        uint256 data;
        uint256 length;
        assembly ("memory-safe") {
            data := mload(0x40)
            length := add(data, 0x64)
            mstore(data, selector)
            mstore(add(data, 0x04), token)
            mstore(add(data, 0x24), amount)
            mstore(add(data, 0x44), 0x60)
            mstore(length, size)
            calldatacopy(add(length, 0x20), program, size)
        }
        Guard.open(lender, length, MORPHO_POSITION);
        Calls.invoke(lender, data, 0x84 + size);
        Guard.requireClosed(lender);
        Tokens.requireNoAllowance(token, lender);
    }

    /// @notice Borrows from Balancer's v2 Vault; the program pays it back with the fee.
    function balancer(address lender, address token, uint256 amount, uint256 program, uint256 size) internal {
        bytes4 selector = IBalancerV2Vault.flashLoan.selector;
        uint256 data;
        uint256 length;
        assembly ("memory-safe") {
            data := mload(0x40)
            length := add(data, 0x104)
            mstore(data, selector)
            mstore(add(data, 0x04), address())
            mstore(add(data, 0x24), 0x80) // tokens
            mstore(add(data, 0x44), 0xc0) // amounts
            mstore(add(data, 0x64), 0x100) // user data
            mstore(add(data, 0x84), 1)
            mstore(add(data, 0xa4), token)
            mstore(add(data, 0xc4), 1)
            mstore(add(data, 0xe4), amount)
            mstore(length, size)
            calldatacopy(add(length, 0x20), program, size)
        }
        Guard.open(lender, length, BALANCER_POSITION);
        Calls.invoke(lender, data, 0x124 + size);
        Guard.requireClosed(lender);
    }
}
