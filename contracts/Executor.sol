// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "./interfaces/IExecutor.sol";
import {Calldata} from "./libraries/Calldata.sol";
import {Calls} from "./libraries/Calls.sol";
import {Declared} from "./libraries/Declared.sol";
import {Guard} from "./libraries/Guard.sol";
import {Interpreter} from "./libraries/Interpreter.sol";
import {Program} from "./libraries/Program.sol";
import {Tokens} from "./libraries/Tokens.sol";

/// @title Runs a whole trade in one call, or none of it
/// @notice Its owner and operators send it programs (`Program` has the grammar); its owner administers it
/// (`IExecutor` has the interface). Everything comes in by the fallback, in the order of what must be cheap:
///
/// 1. the owner's program: two comparisons; no selector is looked at, since a program's first byte is below 0x40
///    and none of the interface's is;
/// 2. ETH, which only WETH may send, within its stipend of 2,300 gas;
/// 3. the one callback that the guard is open for, whatever its name;
/// 4. an operator's program; 5. the interface.
///
/// What a program cannot do, whoever wrote it: leave less WETH behind than it found, or less of any other token
/// than it found. It spends WETH, and tokens that it declares; the balances of these are compared at the end.
contract Executor {
    address private immutable OWNER;
    address private immutable WETH;
    mapping(address account => bool allowed) private operators;

    /// @param owner The account that administers and withdraws. It cannot be changed.
    /// @param weth Wrapped ETH on this chain, whose code must already be there.
    constructor(address owner, address weth) {
        if (owner == address(0) || weth.code.length == 0) revert IExecutor.BadConstruction();
        OWNER = owner;
        WETH = weth;
    }

    /// @notice Programs, callbacks, ETH and the functions of `IExecutor`.
    fallback() external payable {
        bool program;
        assembly ("memory-safe") {
            program := iszero(or(callvalue(), shr(254, calldataload(0))))
        }
        if (msg.sender == OWNER) {
            if (program) return trade();
        } else {
            if (msg.data.length == 0 && msg.sender == WETH) return;
            uint256 guard = Guard.state();
            if (guard != 0) return callback(guard);
            if (program && operators[msg.sender]) return trade();
        }
        administer();
    }

    // --- trading -----------------------------------------------------------------------------------------------

    /// @dev Runs calldata as a program.
    function trade() private {
        unchecked {
            uint256 head = Calldata.byteAt(0);
            uint256 size = head & Program.MINIMUM_SIZE;
            uint256 minimum = Calldata.uintAt(1, size);
            uint256 cursor = 1 + size;
            if (head & Program.DECLARES != 0) return tradeDeclared(cursor, minimum);
            uint256 atStart = Tokens.balance(WETH);
            Interpreter.run(WETH, cursor, msg.data.length);
            checkBalance(WETH, atStart, minimum);
        }
    }

    /// @dev The same for a program that spends other tokens too: `minimum` is of the first of them.
    function tradeDeclared(uint256 cursor, uint256 minimum) private {
        unchecked {
            uint256 count = Calldata.byteAt(cursor++);
            uint256[] memory atStart = new uint256[](count);
            for (uint256 i = 0; i < count; ++i) {
                address token = Calldata.addressAt(cursor + 20 * i);
                atStart[i] = Tokens.balance(token);
                Declared.set(token, true);
            }
            uint256 wethAtStart = Tokens.balance(WETH);
            Interpreter.run(WETH, cursor + 20 * count, msg.data.length);
            checkBalance(WETH, wethAtStart, 0);
            for (uint256 i = 0; i < count; ++i) {
                address token = Calldata.addressAt(cursor + 20 * i);
                Declared.set(token, false);
                checkBalance(token, atStart[i], i == 0 ? minimum : 0);
            }
        }
    }

    function checkBalance(address token, uint256 atStart, uint256 minimum) private view {
        uint256 atEnd = Tokens.balance(token);
        unchecked {
            if (atEnd < atStart || atEnd - atStart < minimum) {
                revert IExecutor.BelowMinimum(token, atStart, atEnd, minimum);
            }
        }
    }

    /// @dev Runs the nested program that this callback brings.
    function callback(uint256 guard) private {
        if (msg.value != 0) revert IExecutor.EthRefused(msg.sender);
        (uint256 cursor, uint256 end) = Guard.close(guard);
        Interpreter.run(WETH, cursor, end);
    }

    // --- administration ----------------------------------------------------------------------------------------

    /// @dev The functions of `IExecutor`, found by their selectors.
    function administer() private {
        if (msg.value != 0) revert IExecutor.EthRefused(msg.sender);
        bytes4 selector = msg.sig;
        if (selector == IExecutor.owner.selector) answer(uint160(OWNER));
        if (selector == IExecutor.WETH.selector) answer(uint160(WETH));
        if (selector == IExecutor.isOperator.selector) {
            answer(operators[abi.decode(msg.data[4:], (address))] ? 1 : 0);
        }
        if (msg.sender != OWNER) revert IExecutor.Unauthorized(msg.sender);
        if (selector == IExecutor.setOperator.selector) {
            (address operator, bool allowed) = abi.decode(msg.data[4:], (address, bool));
            operators[operator] = allowed;
            emit IExecutor.OperatorSet(operator, allowed);
        } else if (selector == IExecutor.withdrawToken.selector) {
            (address token, uint256 amount) = abi.decode(msg.data[4:], (address, uint256));
            emit IExecutor.Withdrawn(token, amount);
            Tokens.transfer(token, OWNER, amount);
        } else if (selector == IExecutor.withdrawEth.selector) {
            uint256 amount = abi.decode(msg.data[4:], (uint256));
            emit IExecutor.Withdrawn(address(0), amount);
            Calls.sendEth(OWNER, amount);
        } else {
            revert IExecutor.UnknownFunction(selector);
        }
    }

    /// @dev Ends the call with one word, which is meant.
    // slither-disable-next-line incorrect-return
    function answer(uint256 word) private pure {
        assembly ("memory-safe") {
            mstore(0x00, word)
            return(0x00, 0x20)
        }
    }
}
