// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "../interfaces/IExecutor.sol";
import {IWETH} from "../interfaces/IWETH.sol";
import {Calldata} from "./Calldata.sol";
import {Calls} from "./Calls.sol";
import {Declared} from "./Declared.sol";
import {Lenders} from "./Lenders.sol";
import {Program} from "./Program.sol";
import {Tokens} from "./Tokens.sol";
import {UniswapV2} from "./UniswapV2.sol";
import {UniswapV3} from "./UniswapV3.sol";

/// @title Runs the steps of a program (see `Program` for its grammar)
/// @dev Arithmetic is unchecked: it is on positions in calldata.
library Interpreter {
    /// @notice Runs the steps from `cursor` to `end` in calldata.
    function run(address weth, uint256 cursor, uint256 end) internal {
        unchecked {
            while (cursor < end) {
                uint256 head = Calldata.byteAt(cursor++);
                if (head < Program.V3_SWAP) cursor = v2Chain(weth, head, cursor);
                else if (head < Program.PAY) cursor = nestedSwap(head, cursor);
                else if (head < Program.TIP) cursor = pay(weth, head, cursor);
                else if (head < Program.DEADLINE) cursor = tip(weth, head, cursor);
                else if (head < Program.LOAN) cursor = deadline(head, cursor);
                else cursor = loan(weth, head, cursor);
            }
        }
    }

    function v2Chain(address weth, uint256 head, uint256 cursor) private returns (uint256) {
        unchecked {
            uint256 size = amountSize(head);
            uint256 end = cursor + ((head & Program.V2_HOPS) + 1) * (20 + size);
            uint256 behind = end;
            if (head & Program.V2_PAY != 0) {
                address token = weth;
                if (head & Program.V2_TOKEN != 0) {
                    token = declaredAt(behind);
                    behind += 20;
                }
                Tokens.transfer(token, Calldata.addressAt(cursor), Calldata.uintAt(behind, size));
                behind += size;
            }
            address recipient = head & Program.V2_TO_CALLER == 0 ? address(this) : msg.sender;
            UniswapV2.chain(cursor, end, size, recipient);
            return behind;
        }
    }

    function nestedSwap(uint256 head, uint256 cursor) private returns (uint256) {
        unchecked {
            uint256 size = amountSize(head);
            address pool = Calldata.addressAt(cursor);
            uint256 amount = Calldata.uintAt(cursor + 20, size);
            uint256 length = Calldata.uintAt(cursor + 20 + size, 2);
            uint256 nested = cursor + 22 + size;
            bool zeroForOne = head & Program.NESTED_ZERO_FOR_ONE != 0;
            if (head < Program.V2_FLASH) {
                address recipient = recipientOf(head, nested, length);
                UniswapV3.swap(pool, zeroForOne, amount, recipient, nested, length);
            } else {
                UniswapV2.flash(pool, zeroForOne, amount, nested, length);
            }
            return nested + length;
        }
    }

    function recipientOf(uint256 head, uint256 nested, uint256 length) private view returns (address) {
        unchecked {
            uint256 recipient = head & Program.RECIPIENT;
            if (recipient == Program.TO_EXECUTOR) return address(this);
            if (recipient == Program.TO_CALLER) return msg.sender;
            if (recipient == Program.TO_NESTED_POOL) return Calldata.addressAt(nested + 1);
            return Calldata.addressAt(nested + length + 1);
        }
    }

    function pay(address weth, uint256 head, uint256 cursor) private returns (uint256) {
        unchecked {
            address token = weth;
            address to = msg.sender;
            if (head & Program.TOKEN != 0) {
                token = declaredAt(cursor);
                cursor += 20;
            }
            if (head & Program.PAY_TO != 0) {
                to = Calldata.addressAt(cursor);
                cursor += 20;
            }
            uint256 size = amountSize(head);
            Tokens.transfer(token, to, Calldata.uintAt(cursor, size));
            return cursor + size;
        }
    }

    function tip(address weth, uint256 head, uint256 cursor) private returns (uint256) {
        unchecked {
            uint256 size = amountSize(head);
            uint256 amount = Calldata.uintAt(cursor, size);
            IWETH(weth).withdraw(amount);
            Calls.sendEth(block.coinbase, amount);
            return cursor + size;
        }
    }

    function deadline(uint256 head, uint256 cursor) private view returns (uint256) {
        if (head != Program.DEADLINE) revert IExecutor.UnknownStep(head);
        uint256 last = Calldata.uintAt(cursor, 4);
        if (block.number > last) revert IExecutor.Expired(last);
        unchecked {
            return cursor + 4;
        }
    }

    function loan(address weth, uint256 head, uint256 cursor) private returns (uint256) {
        unchecked {
            address lender = Calldata.addressAt(cursor);
            cursor += 20;
            address token = weth;
            if (head & Program.TOKEN != 0) {
                token = declaredAt(cursor);
                cursor += 20;
            }
            uint256 size = amountSize(head);
            uint256 amount = Calldata.uintAt(cursor, size);
            uint256 length = Calldata.uintAt(cursor + size, 2);
            uint256 nested = cursor + size + 2;
            uint256 kind = head & Program.LENDER;
            if (kind == Program.MORPHO) Lenders.morpho(lender, token, amount, nested, length);
            else if (kind == Program.BALANCER_V2) Lenders.balancer(lender, token, amount, nested, length);
            else revert IExecutor.UnknownStep(head);
            return nested + length;
        }
    }

    /// @dev The token named at `cursor`, which must be declared.
    function declaredAt(uint256 cursor) private view returns (address token) {
        token = Calldata.addressAt(cursor);
        Declared.check(token);
    }

    function amountSize(uint256 head) private pure returns (uint256) {
        unchecked {
            return Program.NARROW_SIZE + (head & Program.WIDE);
        }
    }
}
