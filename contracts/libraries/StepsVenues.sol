// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMorpho} from "../interfaces/IMorpho.sol";
import {Calldata} from "./Calldata.sol";
import {Declared} from "./Declared.sol";
import {Fields} from "./Fields.sol";
import {Liquidations} from "./Liquidations.sol";
import {Program} from "./Program.sol";
import {Tokens} from "./Tokens.sol";
import {Venues} from "./Venues.sol";

/// @title The steps of venues without callbacks, and of liquidations
library StepsVenues {
    /// @notice Runs the step with the first byte `head`, whose fields begin at `cursor`; returns where it ends.
    function run(address weth, uint256 head, uint256 cursor) internal returns (uint256) {
        address target;
        (target, cursor) = Calldata.accountAt(cursor);
        if (head < Program.BALANCER_V2_SWAP) return curve(target, weth, head, cursor);
        if (head < Program.VAULT) return balancer(target, weth, head, cursor);
        if (head < Program.LIQUIDATE_AAVE) return vault(target, weth, head, cursor);
        if (head < Program.LIQUIDATE_MORPHO) return aave(target, weth, head, cursor);
        if (head < Program.LIQUIDATE_COMPOUND_V2) return morpho(target, weth, head, cursor);
        return compoundV2(target, weth, head, cursor);
    }

    function curve(address pool, address weth, uint256 head, uint256 cursor) private returns (uint256) {
        uint256 which = Calldata.byteAt(cursor);
        address token;
        uint256 amount;
        uint256 least;
        unchecked {
            uint256 coins = Calldata.byteAt(cursor + 1);
            (token, cursor) = Fields.spentAt(weth, head, cursor + 2);
            (amount, cursor) = Fields.amountAt(head, cursor);
            (least, cursor) = Fields.amountAt(head, cursor);
            Venues.curve(pool, which, coins, token, amount, least);
        }
        return cursor;
    }

    function balancer(address vault_, address weth, uint256 head, uint256 cursor) private returns (uint256) {
        address pool;
        address token;
        address tokenOut;
        uint256 amount;
        uint256 least;
        (pool, cursor) = Calldata.accountAt(cursor);
        uint256 rest = Calldata.uintAt(cursor, 12);
        unchecked {
            (token, cursor) = Fields.spentAt(weth, head, cursor + 12);
        }
        (tokenOut, cursor) = Calldata.accountAt(cursor);
        (amount, cursor) = Fields.amountAt(head, cursor);
        (least, cursor) = Fields.amountAt(head, cursor);
        bytes32 poolId = bytes32((uint256(uint160(pool)) << 96) | rest);
        Venues.balancer(vault_, poolId, token, tokenOut, amount, least);
        return cursor;
    }

    function vault(address target, address weth, uint256 head, uint256 cursor) private returns (uint256) {
        address token;
        uint256 amount;
        if (head & Program.REDEEM != 0) {
            Declared.check(target);
            (amount, cursor) = Fields.amountAt(head, cursor);
            Venues.redeem(target, amount);
            return cursor;
        }
        (token, cursor) = Fields.spentAt(weth, head, cursor);
        (amount, cursor) = Fields.amountAt(head, cursor);
        Venues.deposit(target, token, amount);
        return cursor;
    }

    function aave(address pool, address weth, uint256 head, uint256 cursor) private returns (uint256) {
        address debt;
        address collateral;
        address user;
        uint256 amount;
        (debt, cursor) = Fields.spentAt(weth, head, cursor);
        (collateral, cursor) = Calldata.accountAt(cursor);
        (user, cursor) = Calldata.accountAt(cursor);
        (amount, cursor) = Fields.amountAt(head, cursor);
        Liquidations.aave(pool, collateral, debt, user, amount);
        return cursor;
    }

    function morpho(address lender, address weth, uint256 head, uint256 cursor)
        private
        returns (uint256 next)
    {
        address debt;
        uint256 owed;
        (debt, cursor) = Fields.spentAt(weth, head, cursor);
        (owed, cursor) = Fields.amountAt(head, cursor);
        uint256 before = Tokens.allow(debt, lender, owed);
        next = seize(lender, debt, head, cursor);
        Tokens.endAllowance(debt, lender, before);
    }

    function seize(address lender, address debt, uint256 head, uint256 cursor)
        private
        returns (uint256 next)
    {
        IMorpho.MarketParams memory market;
        address borrower;
        uint256 seized;
        uint256 shares;
        uint256 length;
        market.loanToken = debt;
        (market.collateralToken, cursor) = Calldata.accountAt(cursor);
        (market.oracle, cursor) = Calldata.accountAt(cursor);
        (market.irm, cursor) = Calldata.accountAt(cursor);
        market.lltv = Calldata.uintAt(cursor, 8);
        unchecked {
            (borrower, cursor) = Calldata.accountAt(cursor + 8);
        }
        (seized, cursor) = Fields.amountAt(head, cursor);
        (shares, cursor) = Fields.amountAt(head, cursor);
        (cursor, length, next) = Fields.nestedAt(cursor);
        Liquidations.morpho(lender, market, borrower, seized, shares, cursor, length);
    }

    function compoundV2(address target, address weth, uint256 head, uint256 cursor)
        private
        returns (uint256)
    {
        uint256 amount;
        if (head & Program.REDEEM != 0) {
            Declared.check(target);
            (amount, cursor) = Fields.amountAt(head, cursor);
            Liquidations.redeemCompoundV2(target, amount);
            return cursor;
        }
        address debt;
        address borrower;
        address collateral;
        (debt, cursor) = Fields.spentAt(weth, head, cursor);
        (borrower, cursor) = Calldata.accountAt(cursor);
        (collateral, cursor) = Calldata.accountAt(cursor);
        (amount, cursor) = Fields.amountAt(head, cursor);
        Liquidations.compoundV2(target, debt, borrower, collateral, amount);
        return cursor;
    }
}
