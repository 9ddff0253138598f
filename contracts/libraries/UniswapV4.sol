// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IUniswapV4Manager} from "../interfaces/IUniswapV4Manager.sol";
import {Calls} from "./Calls.sol";
import {Guard} from "./Guard.sol";

/// @title Uniswap v4: everything happens in the manager's callback, on account
library UniswapV4 {
    /// @dev `unlockCallback(bytes)`: the bytes stand behind the selector, one word and the length.
    uint256 private constant CALLBACK_POSITION = 0x44;

    /// @dev No limit: one inside of TickMath's MIN_SQRT_PRICE and MAX_SQRT_PRICE.
    uint160 private constant LOWEST_PRICE = 4_295_128_740;
    uint160 private constant HIGHEST_PRICE =
        1_461_446_703_485_210_103_287_273_052_203_988_822_378_723_970_341;

    /// @notice Has the `size` bytes at `program` in calldata run in the manager's callback
    /// (`how`: see `Guard`).
    function unlock(address manager, uint256 program, uint256 size, uint256 how) internal {
        Guard.open(manager, program, size, how | Guard.ANSWER_BYTES | CALLBACK_POSITION);
        bytes4 selector = IUniswapV4Manager.unlock.selector;
        assembly ("memory-safe") {
            mstore(0x80, selector)
            mstore(0x84, 0x20)
            mstore(0xa4, size)
            calldatacopy(0xc4, program, size)
        }
        Calls.invoke(manager, 0x80, 0x44 + size);
    }

    /// @notice Swaps exactly `amount` in, without data for hooks; `key` is the pool's key as the ABI encodes it.
    function swap(address manager, IUniswapV4Manager.PoolKey memory key, bool zeroForOne, uint256 amount)
        internal
    {
        Calls.invoke(
            manager,
            0,
            abi.encodeCall(
                IUniswapV4Manager.swap,
                (
                    key,
                    IUniswapV4Manager.SwapParams(
                        zeroForOne, -int256(amount), zeroForOne ? LOWEST_PRICE : HIGHEST_PRICE
                    ),
                    ""
                )
            )
        );
    }

    /// @notice Has the manager send `amount` of `currency` (zero: ETH) to `to`.
    function take(address manager, address currency, address to, uint256 amount) internal {
        bytes4 selector = IUniswapV4Manager.take.selector;
        assembly ("memory-safe") {
            mstore(0x80, selector)
            mstore(0x84, currency)
            mstore(0xa4, to)
            mstore(0xc4, amount)
        }
        if (currency == address(0)) Guard.expectEth(manager);
        Calls.invoke(manager, 0x80, 0x64);
        if (currency == address(0)) Guard.expectEth(address(0));
    }

    /// @notice Remembers the manager's balance of a token, which pools may then pay into.
    function sync(address manager, address token) internal {
        bytes4 selector = IUniswapV4Manager.sync.selector;
        assembly ("memory-safe") {
            mstore(0x80, selector)
            mstore(0x84, token)
        }
        Calls.invoke(manager, 0x80, 0x24);
    }

    /// @notice Credits what came in since `sync`, or `value` wei of ETH.
    function settle(address manager, uint256 value) internal {
        bytes4 selector = IUniswapV4Manager.settle.selector;
        bool success;
        assembly ("memory-safe") {
            mstore(0x80, selector)
            success := call(gas(), manager, value, 0x80, 0x04, 0, 0)
        }
        if (!success) Calls.fail(manager);
    }
}
