// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Program} from "../../../contracts/libraries/Program.sol";
import {Programs} from "./Programs.sol";

/// @title Builds the rarer steps (see `Programs` for the others)
/// @notice A `token` of zero is not named: the step then is about WETH.
library Steps {
    // --- money ---------------------------------------------------------------------------------------------------

    function wrap(uint256 amount) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(Program.WRAP), uint96(amount));
    }

    function unwrap(uint256 amount) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(Program.WRAP | Program.UNWRAP), uint96(amount));
    }

    // --- loans ---------------------------------------------------------------------------------------------------

    /// @notice From any of the four lenders; `owed` stands only in those of Aave and ERC-3156.
    function loan(
        uint256 kind,
        address lender,
        address token,
        uint256 amount,
        uint256 owed,
        bytes memory nested
    ) internal view returns (bytes memory) {
        bytes memory named = abi.encodePacked(Programs.account(lender), maybe(token));
        bytes memory owes = kind < Program.AAVE_V3 ? bytes("") : abi.encodePacked(uint96(owed));
        return abi.encodePacked(head(kind, token), named, uint96(amount), owes, within(nested));
    }

    function flashV3(address pool, bool token1, address to, uint256 amount, bytes memory nested)
        internal
        view
        returns (bytes memory)
    {
        uint256 flags = (token1 ? Program.TOKEN_1 : 0) | (to == address(0) ? 0 : Program.TO);
        bytes memory named = abi.encodePacked(Programs.account(pool), maybe(to));
        return abi.encodePacked(uint8(Program.V3_FLASH | flags), named, uint96(amount), within(nested));
    }

    // --- Uniswap v4 ----------------------------------------------------------------------------------------------

    function unlock(address manager, bytes memory nested) internal view returns (bytes memory) {
        return abi.encodePacked(uint8(Program.V4_UNLOCK), Programs.account(manager), within(nested));
    }

    function sync(address token) internal view returns (bytes memory) {
        return abi.encodePacked(uint8(Program.V4_SYNC), Programs.account(token));
    }

    function swapV4(
        address currency0,
        address currency1,
        uint24 fee,
        uint24 spacing,
        bool zeroForOne,
        uint256 amount
    ) internal view returns (bytes memory) {
        bytes memory key = abi.encodePacked(
            Programs.account(currency0), Programs.account(currency1), fee, spacing
        );
        uint8 first = uint8(Program.V4_SWAP | (zeroForOne ? Program.ZERO_FOR_ONE : 0));
        return abi.encodePacked(first, key, Programs.account(address(0)), uint96(amount));
    }

    /// @notice Of WETH.
    function take(address to, uint256 amount) internal view returns (bytes memory) {
        uint8 first = uint8(Program.V4_TAKE | (to == address(0) ? 0 : Program.TO));
        return abi.encodePacked(first, maybe(to), uint96(amount));
    }

    /// @notice Of any currency; zero is ETH.
    function take(address currency, address to, uint256 amount) internal view returns (bytes memory) {
        uint8 first = uint8(Program.V4_TAKE | Program.TOKEN | (to == address(0) ? 0 : Program.TO));
        return abi.encodePacked(first, Programs.account(currency), maybe(to), uint96(amount));
    }

    /// @notice Of WETH.
    function settle(uint256 amount) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(Program.V4_SETTLE), uint96(amount));
    }

    /// @notice Of any currency; zero is ETH.
    function settle(address currency, uint256 amount) internal view returns (bytes memory) {
        return abi.encodePacked(
            uint8(Program.V4_SETTLE | Program.TOKEN), Programs.account(currency), uint96(amount)
        );
    }

    function settlePaid() internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(Program.V4_SETTLE | Program.PAID));
    }

    // --- venues --------------------------------------------------------------------------------------------------

    function curve(address pool, uint256 which, uint256 coins, address token, uint256 amount, uint256 least)
        internal
        view
        returns (bytes memory)
    {
        bytes memory named =
            abi.encodePacked(Programs.account(pool), uint8(which), uint8(coins), maybe(token));
        return abi.encodePacked(head(Program.CURVE, token), named, uint96(amount), uint96(least));
    }

    function balancerSwap(
        address vault,
        bytes32 poolId,
        address token,
        address tokenOut,
        uint256 amount,
        uint256 least
    ) internal view returns (bytes memory) {
        bytes memory named = abi.encodePacked(
            Programs.account(vault),
            Programs.account(address(bytes20(poolId))),
            uint96(uint256(poolId)),
            maybe(token)
        );
        bytes memory rest = abi.encodePacked(Programs.account(tokenOut), uint96(amount), uint96(least));
        return abi.encodePacked(head(Program.BALANCER_V2_SWAP, token), named, rest);
    }

    function deposit(address vault, address asset, uint256 amount) internal view returns (bytes memory) {
        bytes memory named = abi.encodePacked(Programs.account(vault), maybe(asset));
        return abi.encodePacked(head(Program.VAULT, asset), named, uint96(amount));
    }

    function redeem(address vault, uint256 shares) internal view returns (bytes memory) {
        return
            abi.encodePacked(uint8(Program.VAULT | Program.REDEEM), Programs.account(vault), uint96(shares));
    }

    // --- liquidations --------------------------------------------------------------------------------------------

    function liquidateAave(address pool, address debt, address collateral, address user, uint256 most)
        internal
        view
        returns (bytes memory)
    {
        bytes memory named = abi.encodePacked(Programs.account(pool), maybe(debt));
        bytes memory rest =
            abi.encodePacked(Programs.account(collateral), Programs.account(user), uint96(most));
        return abi.encodePacked(head(Program.LIQUIDATE_AAVE, debt), named, rest);
    }

    struct Market {
        address lender;
        address loanToken; // zero: WETH, not named
        address collateral;
        address oracle;
        address irm;
        uint64 lltv;
    }

    function liquidateMorpho(
        Market memory market,
        address borrower,
        uint256 seized,
        uint256 shares,
        uint256 most,
        bytes memory nested
    ) internal view returns (bytes memory) {
        bytes memory named = abi.encodePacked(
            Programs.account(market.lender), maybe(market.loanToken), uint96(most)
        );
        named = abi.encodePacked(named, Programs.account(market.collateral), Programs.account(market.oracle));
        named = abi.encodePacked(named, Programs.account(market.irm), market.lltv, Programs.account(borrower));
        bytes memory rest = abi.encodePacked(uint96(seized), uint96(shares), within(nested));
        return abi.encodePacked(head(Program.LIQUIDATE_MORPHO, market.loanToken), named, rest);
    }

    function liquidateCompound(
        address debtToken,
        address debt,
        address borrower,
        address collateral,
        uint256 amount
    ) internal view returns (bytes memory) {
        bytes memory named = abi.encodePacked(Programs.account(debtToken), maybe(debt));
        bytes memory rest =
            abi.encodePacked(Programs.account(borrower), Programs.account(collateral), uint96(amount));
        return abi.encodePacked(head(Program.LIQUIDATE_COMPOUND_V2, debt), named, rest);
    }

    function redeemCompound(address token, uint256 amount) internal view returns (bytes memory) {
        uint8 first = uint8(Program.LIQUIDATE_COMPOUND_V2 | Program.REDEEM);
        return abi.encodePacked(first, Programs.account(token), uint96(amount));
    }

    // --- parts ---------------------------------------------------------------------------------------------------

    function head(uint256 kind, address token) private pure returns (uint8) {
        return uint8(kind | (token == address(0) ? 0 : Program.TOKEN));
    }

    function maybe(address x) private view returns (bytes memory) {
        return x == address(0) ? bytes("") : Programs.account(x);
    }

    function within(bytes memory nested) private pure returns (bytes memory) {
        return abi.encodePacked(uint16(nested.length), nested);
    }
}
