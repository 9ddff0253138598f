// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "../interfaces/IExecutor.sol";
import {IUniswapV4Manager} from "../interfaces/IUniswapV4Manager.sol";
import {Calldata} from "./Calldata.sol";
import {Fields} from "./Fields.sol";
import {Guard} from "./Guard.sol";
import {Program} from "./Program.sol";
import {Tokens} from "./Tokens.sol";
import {UniswapV4} from "./UniswapV4.sol";

/// @title The steps of Uniswap v4; all but unlock stand in the manager's callback, and so call the caller
library StepsV4 {
    /// @notice Runs the step with the first byte `head`, whose fields begin at `cursor`; returns where it ends.
    function run(address weth, uint256 head, uint256 cursor) internal returns (uint256) {
        if (head < Program.V4_SWAP) return enter(head, cursor);
        if (head < Program.V4_TAKE) return swap(head, cursor);
        if (head < Program.V4_SETTLE) return take(weth, head, cursor);
        return settle(weth, head, cursor);
    }

    /// @dev unlock, sync
    function enter(uint256 head, uint256 cursor) private returns (uint256 next) {
        address account;
        (account, cursor) = Calldata.accountAt(cursor);
        if (head == Program.V4_SYNC) {
            UniswapV4.sync(msg.sender, account);
            return cursor;
        }
        if (head != Program.V4_UNLOCK) revert IExecutor.UnknownStep(head);
        uint256 length;
        (cursor, length, next) = Fields.nestedAt(cursor);
        UniswapV4.unlock(account, cursor, length, 0);
        Guard.requireClosed(account);
    }

    function swap(uint256 head, uint256 cursor) private returns (uint256) {
        IUniswapV4Manager.PoolKey memory key;
        (key.currency0, cursor) = Calldata.accountAt(cursor);
        (key.currency1, cursor) = Calldata.accountAt(cursor);
        unchecked {
            key.fee = uint24(Calldata.uintAt(cursor, 3));
            key.tickSpacing = int24(uint24(Calldata.uintAt(cursor + 3, 3)));
            (key.hooks, cursor) = Calldata.accountAt(cursor + 6);
        }
        uint256 amount;
        (amount, cursor) = Fields.amountAt(head, cursor);
        UniswapV4.swap(msg.sender, key, head & Program.ZERO_FOR_ONE != 0, amount);
        return cursor;
    }

    function take(address weth, uint256 head, uint256 cursor) private returns (uint256) {
        address currency = weth;
        address to;
        uint256 amount;
        if (head & Program.TOKEN != 0) (currency, cursor) = Calldata.accountAt(cursor);
        (to, cursor) = Fields.recipientAt(address(this), head, cursor);
        (amount, cursor) = Fields.amountAt(head, cursor);
        UniswapV4.take(msg.sender, currency, to, amount);
        return cursor;
    }

    function settle(address weth, uint256 head, uint256 cursor) private returns (uint256) {
        if (head & Program.PAID != 0) {
            UniswapV4.settle(msg.sender, 0);
            return cursor;
        }
        address currency = weth;
        uint256 amount;
        uint256 named = cursor;
        if (head & Program.TOKEN != 0) (currency, cursor) = Calldata.accountAt(cursor);
        (amount, cursor) = Fields.amountAt(head, cursor);
        if (currency == address(0)) {
            UniswapV4.settle(msg.sender, amount);
            return cursor;
        }
        if (head & Program.TOKEN != 0) Fields.declaredAt(named);
        UniswapV4.sync(msg.sender, currency);
        Tokens.transfer(currency, msg.sender, amount);
        UniswapV4.settle(msg.sender, 0);
        return cursor;
    }
}
