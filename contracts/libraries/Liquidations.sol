// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAaveV3Pool} from "../interfaces/IAaveV3Pool.sol";
import {ICompoundV2Token} from "../interfaces/ICompoundV2Token.sol";
import {IExecutor} from "../interfaces/IExecutor.sol";
import {IMorpho} from "../interfaces/IMorpho.sol";
import {Calls} from "./Calls.sol";
import {Guard} from "./Guard.sol";
import {Tokens} from "./Tokens.sol";

/// @title Liquidations; the collateral comes to the executor, and other steps sell it
/// @notice Debt is pulled by an allowance of at most `amount`, which ends with the step.
library Liquidations {
    /// @dev `onMorphoLiquidate(uint256,bytes)`: the bytes stand behind the selector, two words and the length.
    uint256 private constant MORPHO_POSITION = 0x64;

    /// @notice Covers at most `amount` of the debt of `user` in `debt`.
    function aave(address pool, address collateral, address debt, address user, uint256 amount) internal {
        uint256 before = Tokens.allow(debt, pool, amount);
        Calls.invoke(
            pool, 0, abi.encodeCall(IAaveV3Pool.liquidationCall, (collateral, debt, user, amount, false))
        );
        Tokens.endAllowance(debt, pool, before);
    }

    /// @notice Repays `amount` of what `borrower` owes to `debtToken`, whose underlying is `debt`, for cTokens.
    function compoundV2(address debtToken, address debt, address borrower, address collateral, uint256 amount)
        internal
    {
        uint256 before = Tokens.allow(debt, debtToken, amount);
        invokeForZero(
            debtToken, abi.encodeCall(ICompoundV2Token.liquidateBorrow, (borrower, amount, collateral))
        );
        Tokens.endAllowance(debt, debtToken, before);
    }

    /// @notice Redeems `amount` cTokens, for the underlying or ETH.
    function redeemCompoundV2(address token, uint256 amount) internal {
        Guard.expectEth(token); // which the cToken of ETH sends
        invokeForZero(token, abi.encodeCall(ICompoundV2Token.redeem, (amount)));
        Guard.expectEth(address(0));
    }

    /// @notice Seizes collateral; the `size` bytes at `program` in calldata run when it has come, before the debt is
    /// pulled, by an allowance that must be there.
    function morpho(
        address lender,
        IMorpho.MarketParams memory market,
        address borrower,
        uint256 seized,
        uint256 shares,
        uint256 program,
        uint256 size
    ) internal {
        Guard.open(lender, program, size, MORPHO_POSITION);
        bytes calldata nested = msg.data[program:program + size];
        Calls.invoke(lender, 0, abi.encodeCall(IMorpho.liquidate, (market, borrower, seized, shares, nested)));
        Guard.requireClosed(lender);
    }

    /// @dev Compound v2 answers with an error code where others revert.
    function invokeForZero(address target, bytes memory data) private {
        bool success;
        uint256 code;
        assembly ("memory-safe") {
            mstore(0x00, not(0)) // silence is no success
            success := call(gas(), target, 0, add(data, 0x20), mload(data), 0x00, 0x20)
            code := mload(0x00)
        }
        if (!success) Calls.fail(target);
        if (code != 0) revert IExecutor.Refused(target, code);
    }
}
