// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "../interfaces/IExecutor.sol";
import {Book} from "./Book.sol";
import {Calldata} from "./Calldata.sol";
import {Calls} from "./Calls.sol";
import {Lenders} from "./Lenders.sol";
import {Tokens} from "./Tokens.sol";
import {UniswapV2} from "./UniswapV2.sol";
import {UniswapV3} from "./UniswapV3.sol";
import {UniswapV4} from "./UniswapV4.sol";

/// @title The lenders of the book as the anchor of a route: they lend WETH, and the pairs run in their callback
/// @notice By the book they are genuine: they lend what they were asked for, call back, and take back what is owed.
library RouteLoan {
    /// @notice Borrows `amount` of WETH, for which no more than `owed` goes back; the rest of calldata from `program` on runs
    /// meanwhile.
    function borrow(address weth, uint256 anchor, uint256 amount, uint256 owed, uint256 program, uint256 how)
        internal
    {
        address lender = Book.account(anchor);
        uint256 kind = Book.kind(anchor);
        uint256 size;
        unchecked {
            size = msg.data.length - program;
        }
        if (kind == Book.LENDER_MORPHO) {
            Tokens.approve(weth, lender, amount);
            Lenders.morpho(lender, weth, amount, program, size, how);
        } else if (kind == Book.LENDER_V4) {
            UniswapV4.unlock(lender, program, size, how);
        } else if (kind == Book.LENDER_BALANCER_V2) {
            Lenders.balancer(lender, weth, amount, program, size, how);
        } else if (kind == Book.LENDER_AAVE_V3) {
            Tokens.approve(weth, lender, owed);
            Lenders.aave(lender, weth, amount, program, size, how);
        } else if (kind == Book.LENDER_V2_WETH_0 || kind == Book.LENDER_V2_WETH_1) {
            UniswapV2.flash(anchor >> 96, kind == Book.LENDER_V2_WETH_1 ? 1 : 0, amount, program, size, how);
        } else if (kind == Book.LENDER_V3_WETH_0 || kind == Book.LENDER_V3_WETH_1) {
            uint256 token1 = kind == Book.LENDER_V3_WETH_1 ? 1 : 0;
            UniswapV3.flash(lender, token1, amount, address(this), program, size, how);
        } else {
            revert IExecutor.NotInBook();
        }
    }

    /// @notice In the callback: has v4 send `amount` to `pair`, the first one, straight away.
    function take(address weth, uint256 anchor, uint256 amount, address pair) internal {
        if (Book.kind(anchor) != Book.LENDER_V4) return;
        UniswapV4.take(msg.sender, weth, pair, amount);
        Calls.clear(); // for the first swap
    }

    /// @notice The token that the executor pays the first pair in: none if the lender has done so.
    function payer(address weth, uint256 anchor) internal pure returns (address) {
        return Book.kind(anchor) == Book.LENDER_V4 ? address(0) : weth;
    }

    /// @notice In the callback: pays back `owed`, unless the lender pulls it.
    function repay(address weth, uint256 anchor, uint256 owed) internal {
        uint256 kind = Book.kind(anchor);
        if (kind == Book.LENDER_MORPHO) return;
        if (kind == Book.LENDER_AAVE_V3) return requireExact(owed);
        if (kind == Book.LENDER_V4) UniswapV4.sync(msg.sender, weth);
        Tokens.transfer(weth, msg.sender, owed);
        if (kind == Book.LENDER_V4) UniswapV4.settle(msg.sender, 0);
    }

    /// @dev Of `executeOperation(asset, amount, premium, …)`: all that Aave was allowed to pull, it will.
    function requireExact(uint256 owed) private pure {
        unchecked {
            uint256 pulled = Calldata.uintAt(0x24, 32) + Calldata.uintAt(0x44, 32);
            if (pulled != owed) revert IExecutor.BelowPromise(pulled, owed);
        }
    }
}
