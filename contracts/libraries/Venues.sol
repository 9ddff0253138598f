// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IBalancerV2Vault} from "../interfaces/IBalancerV2Vault.sol";
import {ICurvePool} from "../interfaces/ICurvePool.sol";
import {IERC4626} from "../interfaces/IERC4626.sol";
import {IExecutor} from "../interfaces/IExecutor.sol";
import {Calls} from "./Calls.sol";
import {Guard} from "./Guard.sol";
import {Tokens} from "./Tokens.sol";

/// @title Swaps without callbacks: Curve, Balancer v2, tokenised vaults
/// @notice What a venue pulls, it pulls by an allowance of just that, which ends with the step.
library Venues {
    // which `exchange` of a Curve pool
    uint256 internal constant CURVE_PLAIN = 0;
    uint256 internal constant CURVE_CRYPTO = 1;
    uint256 internal constant CURVE_RECEIVED = 2; // what goes in has been sent to the pool
    uint256 internal constant CURVE_ETH_IN = 3; // WETH's coin, as ETH
    uint256 internal constant CURVE_ETH_OUT = 4;

    /// @notice Swaps `amount` of `token`, the coin `coins >> 4` of `pool`, for at least `least` of coin `coins & 0x0f`.
    function curve(address pool, uint256 which, uint256 coins, address token, uint256 amount, uint256 least)
        internal
    {
        uint256 i = coins >> 4;
        uint256 j = coins & 0x0f;
        if (which == CURVE_RECEIVED) {
            Calls.invoke(
                pool,
                0,
                abi.encodeCall(
                    ICurvePool.exchange_received,
                    (int128(uint128(i)), int128(uint128(j)), amount, least, address(this))
                )
            );
            return;
        }
        if (which > CURVE_ETH_OUT) revert IExecutor.UnknownStep(which);
        if (which == CURVE_ETH_IN) return Calls.invoke(pool, amount, exchange(which, i, j, amount, least));
        uint256 before = Tokens.allow(token, pool, amount);
        if (which == CURVE_ETH_OUT) Guard.expectEth(pool);
        Calls.invoke(pool, 0, exchange(which, i, j, amount, least));
        if (which == CURVE_ETH_OUT) Guard.expectEth(address(0));
        Tokens.endAllowance(token, pool, before);
    }

    /// @dev The call of a pool that pulls, or gets ETH.
    function exchange(uint256 which, uint256 i, uint256 j, uint256 amount, uint256 least)
        private
        pure
        returns (bytes memory)
    {
        if (which == CURVE_PLAIN) {
            return abi.encodeWithSignature("exchange(int128,int128,uint256,uint256)", i, j, amount, least);
        }
        if (which == CURVE_CRYPTO) {
            return abi.encodeWithSignature("exchange(uint256,uint256,uint256,uint256)", i, j, amount, least);
        }
        return
            abi.encodeWithSignature(
                "exchange(uint256,uint256,uint256,uint256,bool)", i, j, amount, least, true
            );
    }

    /// @notice Swaps `amount` of `token` for at least `least` of `tokenOut` in a pool of Balancer's v2 Vault.
    function balancer(
        address vault,
        bytes32 poolId,
        address token,
        address tokenOut,
        uint256 amount,
        uint256 least
    ) internal {
        uint256 before = Tokens.allow(token, vault, amount);
        Calls.invoke(
            vault,
            0,
            abi.encodeCall(
                IBalancerV2Vault.swap,
                (
                    IBalancerV2Vault.SingleSwap(poolId, 0, token, tokenOut, amount, ""),
                    IBalancerV2Vault.FundManagement(address(this), false, address(this), false),
                    least,
                    block.timestamp
                )
            )
        );
        Tokens.endAllowance(token, vault, before);
    }

    /// @notice Deposits `assets` of `token` for shares.
    function deposit(address vault, address token, uint256 assets) internal {
        uint256 before = Tokens.allow(token, vault, assets);
        Calls.invoke(vault, 0, abi.encodeCall(IERC4626.deposit, (assets, address(this))));
        Tokens.endAllowance(token, vault, before);
    }

    /// @notice Redeems `shares` for assets.
    function redeem(address vault, uint256 shares) internal {
        Calls.invoke(vault, 0, abi.encodeCall(IERC4626.redeem, (shares, address(this), address(this))));
    }
}
