// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAaveV3Pool} from "../interfaces/IAaveV3Pool.sol";
import {IBalancerV2Vault} from "../interfaces/IBalancerV2Vault.sol";
import {IERC3156Lender} from "../interfaces/IERC3156Lender.sol";
import {IMorpho} from "../interfaces/IMorpho.sol";
import {Calls} from "./Calls.sol";
import {Guard} from "./Guard.sol";

/// @title Flash loans: the `size` bytes at `program` in calldata run while the loan is out (`how`: see `Guard`)
/// @notice Who pulls must be allowed to before. If a lender is not known to be genuine, `Guard.requireClosed` must follow.
library Lenders {
    /// @dev `onMorphoFlashLoan(uint256,bytes)`: the bytes stand behind the selector, two words and the length.
    uint256 private constant MORPHO_POSITION = 0x04 + 3 * 0x20;

    /// @dev `receiveFlashLoan(address[],uint256[],uint256[],bytes)`: behind the selector, four offsets, three
    /// arrays of one, and the length.
    uint256 private constant BALANCER_POSITION = 0x04 + 11 * 0x20;

    /// @dev `executeOperation(address,uint256,uint256,address,bytes)` and
    /// `onFlashLoan(address,address,uint256,uint256,bytes)`: behind the selector, five words and the length.
    uint256 private constant FIVE_WORDS_POSITION = 0x04 + 6 * 0x20;

    /// @notice Borrows from Morpho Blue, which pulls the amount back.
    function morpho(address lender, address token, uint256 amount, uint256 program, uint256 size, uint256 how)
        internal
    {
        Guard.open(lender, program, size, how | MORPHO_POSITION);
        bytes4 selector = IMorpho.flashLoan.selector;
        assembly ("memory-safe") {
            mstore(0x80, selector)
            mstore(0x84, token)
            mstore(0xa4, amount)
            mstore(0xc4, 0x60)
            mstore(0xe4, size)
            calldatacopy(0x104, program, size)
        }
        Calls.invoke(lender, 0x80, 0x84 + size);
    }

    /// @notice Borrows from Balancer's v2 Vault; the program pays it back with the fee.
    function balancer(
        address lender,
        address token,
        uint256 amount,
        uint256 program,
        uint256 size,
        uint256 how
    ) internal {
        Guard.open(lender, program, size, how | BALANCER_POSITION);
        bytes4 selector = IBalancerV2Vault.flashLoan.selector;
        assembly ("memory-safe") {
            mstore(0x80, selector)
            mstore(0x84, address())
            mstore(0xa4, 0x80) // tokens
            mstore(0xc4, 0xc0) // amounts
            mstore(0xe4, 0x100) // user data
            mstore(0x104, 1)
            mstore(0x124, token)
            mstore(0x144, 1)
            mstore(0x164, amount)
            mstore(0x184, size)
            calldatacopy(0x1a4, program, size)
        }
        Calls.invoke(lender, 0x80, 0x124 + size);
    }

    /// @notice Borrows from Aave v3 or a fork of it, which pulls the amount with the premium.
    function aave(address lender, address token, uint256 amount, uint256 program, uint256 size, uint256 how)
        internal
    {
        Guard.open(lender, program, size, how | Guard.ANSWER_TRUE | FIVE_WORDS_POSITION);
        bytes4 selector = IAaveV3Pool.flashLoanSimple.selector;
        assembly ("memory-safe") {
            mstore(0x80, selector)
            mstore(0x84, address())
            mstore(0xa4, token)
            mstore(0xc4, amount)
            mstore(0xe4, 0xa0)
            mstore(0x104, 0)
            mstore(0x124, size)
            calldatacopy(0x144, program, size)
        }
        Calls.invoke(lender, 0x80, 0xc4 + size);
    }

    /// @notice Borrows from an ERC-3156 lender, which pulls the amount with the fee.
    function erc3156(address lender, address token, uint256 amount, uint256 program, uint256 size) internal {
        Guard.open(lender, program, size, Guard.ANSWER_ERC3156 | FIVE_WORDS_POSITION);
        bytes4 selector = IERC3156Lender.flashLoan.selector;
        assembly ("memory-safe") {
            mstore(0x80, selector)
            mstore(0x84, address())
            mstore(0xa4, token)
            mstore(0xc4, amount)
            mstore(0xe4, 0x80)
            mstore(0x104, size)
            calldatacopy(0x124, program, size)
        }
        Calls.invoke(lender, 0x80, 0xa4 + size);
    }
}
