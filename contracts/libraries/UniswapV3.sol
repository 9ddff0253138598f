// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IUniswapV3Pool} from "../interfaces/IUniswapV3Pool.sol";
import {Calls} from "./Calls.sol";
import {Guard} from "./Guard.sol";

/// @title Swaps with Uniswap v3 pools and their forks
library UniswapV3 {
    /// @dev Where `uniswapV3SwapCallback(int256,int256,bytes)`, `uniswapV3FlashCallback(uint256,uint256,bytes)` and
    /// their like carry the bytes: behind the selector, three words and the length.
    uint256 private constant CALLBACK_POSITION = 0x84;
    uint256 private constant SLOT = 0;

    /// @dev No limit: one inside of TickMath's MIN_SQRT_RATIO and MAX_SQRT_RATIO.
    uint256 private constant LOWEST_PRICE = 4_295_128_740;
    uint256 private constant HIGHEST_PRICE =
        1_461_446_703_485_210_103_287_273_052_203_988_822_378_723_970_341;

    /// @notice Swaps exactly `amount` into `pool`, which sends to `recipient`, then in its callback has the `size`
    /// bytes at `program` in calldata run (`how`: see `Guard`). Returns what the pool says it sent. If
    /// it is not known to be genuine, `Guard.requireClosed` must follow.
    function swap(
        uint256 pool,
        uint256 zeroForOne,
        uint256 amount,
        address recipient,
        uint256 program,
        uint256 size,
        uint256 how
    ) internal returns (uint256 out) {
        bytes4 selector = IUniswapV3Pool.swap.selector;
        bool success;
        assembly ("memory-safe") {
            mstore(0x80, selector)
            mstore(0x84, recipient)
            mstore(0xa4, zeroForOne)
            mstore(0xc4, amount)
            mstore(0xe4, HIGHEST_PRICE)
            if zeroForOne { mstore(0xe4, LOWEST_PRICE) }
            mstore(0x104, 0xa0)
            mstore(0x124, pool) // hashed in the place of the length
            calldatacopy(0x144, program, size)
            tstore(SLOT, or(shl(16, keccak256(0x124, add(size, 0x20))), or(how, CALLBACK_POSITION)))
            mstore(0x124, size)
            mstore(0x00, 0) // what a pool does not answer is nothing
            mstore(0x20, 0)
            success := call(gas(), pool, 0, 0x80, add(size, 0xc4), 0x00, 0x40)
            out := sub(0, mload(shl(5, zeroForOne)))
        }
        if (!success) Calls.fail(address(uint160(pool)));
    }

    /// @notice Has the pool send `amount` of one of its tokens to `recipient`; the program pays it back with the fee.
    function flash(
        address pool,
        uint256 token1,
        uint256 amount,
        address recipient,
        uint256 program,
        uint256 size,
        uint256 how
    ) internal {
        Guard.open(pool, program, size, how | CALLBACK_POSITION);
        bytes4 selector = IUniswapV3Pool.flash.selector;
        assembly ("memory-safe") {
            let side := shl(5, token1)
            mstore(0x80, selector)
            mstore(0x84, recipient)
            mstore(add(0xa4, side), amount)
            mstore(sub(0xc4, side), 0)
            mstore(0xe4, 0x80)
            mstore(0x104, size)
            calldatacopy(0x124, program, size)
        }
        Calls.invoke(pool, 0x80, 0xa4 + size);
    }
}
