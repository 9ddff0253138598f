// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "./interfaces/IExecutor.sol";
import {Calldata} from "./libraries/Calldata.sol";
import {Calls} from "./libraries/Calls.sol";
import {Declared} from "./libraries/Declared.sol";
import {Guard} from "./libraries/Guard.sol";
import {Interpreter} from "./libraries/Interpreter.sol";
import {Route} from "./libraries/Route.sol";
import {Program} from "./libraries/Program.sol";
import {Tokens} from "./libraries/Tokens.sol";

/// @title Runs a whole trade in one call, or none of it
/// @notice Its owner and operators send it programs (`Program` has the grammar); its owner administers it
/// (`IExecutor` has the interface). Everything comes in by the fallback, in the order of what must be cheap:
///
/// 1. the owner's program, told by its first byte, which is below 0x40 as no selector of the interface is;
/// 2. the one callback that the guard is open for, whatever its name;
/// 3. ETH, which only WETH may send, or whom the running step expects it from, within a stipend of 2,300 gas;
/// 4. an operator's program; 5. the interface.
///
/// What a program cannot do, whoever wrote it: leave less WETH or ETH behind than it found, or less of any other token.
/// Steps spend WETH, and tokens that they declare; the balances of these are compared at the end. A route rests on the
/// genuine pools of the book instead (see `Route`).
contract Executor {
    uint256 private immutable OWNER; // as a number, which costs no masks
    address private immutable WETH;
    mapping(address account => bool allowed) private operators;

    /// @param owner The account that administers and withdraws. It cannot be changed.
    /// @param weth Wrapped ETH on this chain, whose code must already be there.
    constructor(address owner, address weth) {
        if (owner == address(0) || weth.code.length == 0) revert IExecutor.BadConstruction();
        OWNER = uint160(owner);
        WETH = weth;
    }

    /// @notice Programs, callbacks, ETH and the functions of `IExecutor`.
    /// @dev `callback` and `administer` end the call, instead of returning, which would cost more. If they did return,
    /// the caller would still have to be an operator to get any further.
    // slither-disable-next-line incorrect-return,reentrancy-benign,reentrancy-events
    fallback() external payable {
        uint256 sender;
        assembly ("memory-safe") {
            sender := caller()
        }
        if (sender != OWNER) {
            uint256 guard = Guard.state();
            if (guard != 0) callback(guard);
            if (msg.data.length == 0 && (msg.sender == WETH || Guard.isEthExpected(msg.sender))) {
                Calls.stop();
            }
            if (!operators[msg.sender]) administer();
        }
        uint256 head; // the first byte, and any ETH above it
        assembly ("memory-safe") {
            head := or(byte(0, calldataload(0)), shl(8, callvalue()))
        }
        if (head >> 4 == Program.ROUTE >> 4) {
            Route.run(WETH, head, 1);
            Calls.stop();
        }
        if (head >= Program.FIRST_SELECTOR) administer();
        else if (head >= Program.ROUTE) routeOnTerms(head);
        else if (head & Program.TERMS != 0) stepsOnTerms(head);
        else steps(head);
    }

    function steps(uint256 head) private {
        unchecked {
            uint256 minimum = Calldata.uintAt(1, head);
            uint256 ethAtStart = address(this).balance;
            uint256 atStart = Tokens.balance(WETH);
            Interpreter.run(WETH, 1 + head, msg.data.length);
            check(WETH, atStart, Tokens.balance(WETH), minimum);
            checkEth(ethAtStart);
        }
    }

    // --- trading -----------------------------------------------------------------------------------------------

    function routeOnTerms(uint256 head) private {
        checkDeadline(1);
        payBid(Route.run(WETH, head, 7), Calldata.uintAt(5, 2));
    }

    /// @dev Steps with a deadline, a bid, and other tokens that are spent: `minimum` is of the first of them.
    function stepsOnTerms(uint256 head) private {
        unchecked {
            uint256 terms = Calldata.byteAt(1);
            uint256 cursor = 2 + (head & Program.MINIMUM_SIZE);
            uint256 minimum = Calldata.uintAt(2, head & Program.MINIMUM_SIZE);
            if (terms & Program.DEADLINE != 0) {
                checkDeadline(cursor);
                cursor += 4;
            }
            uint256 bid;
            if (terms & Program.BID != 0) {
                bid = Calldata.uintAt(cursor, 2);
                cursor += 2;
            }
            uint256 count = terms & Program.TOKENS;
            uint256 tokensAt = cursor;
            address token;
            for (uint256 i = 0; i < count; ++i) {
                (token, cursor) = Calldata.accountAt(cursor);
                Declared.open(token, Tokens.balance(token));
            }
            uint256 ethAtStart = address(this).balance;
            uint256 wethAtStart = Tokens.balance(WETH);
            Interpreter.run(WETH, cursor, msg.data.length);
            uint256 wethAtEnd = Tokens.balance(WETH);
            if (bid != 0 && wethAtEnd > wethAtStart) {
                wethAtEnd -= payBid(wethAtEnd - wethAtStart, bid);
            }
            check(WETH, wethAtStart, wethAtEnd, count == 0 ? minimum : 0);
            for (uint256 i = 0; i < count; ++i) {
                (token, tokensAt) = Calldata.accountAt(tokensAt);
                check(token, Declared.close(token), Tokens.balance(token), i == 0 ? minimum : 0);
            }
            checkEth(ethAtStart);
        }
    }

    /// @dev The builder's part of `gained`, `share` basis points.
    function payBid(uint256 gained, uint256 share) private returns (uint256 bid) {
        if (share > Program.ALL) revert IExecutor.BidAboveGain(share);
        unchecked {
            bid = gained * share / Program.ALL;
        }
        if (bid != 0) Tokens.payBuilder(WETH, bid);
    }

    function checkDeadline(uint256 cursor) private view {
        uint256 last = Calldata.uintAt(cursor, 4);
        if (block.number > last) revert IExecutor.Expired(last);
    }

    function checkEth(uint256 atStart) private view {
        if (address(this).balance < atStart) revert IExecutor.EthSpent(atStart, address(this).balance);
    }

    function check(address token, uint256 atStart, uint256 atEnd, uint256 minimum) private pure {
        unchecked {
            if (atEnd < atStart || atEnd - atStart < minimum) {
                revert IExecutor.BelowMinimum(token, atStart, atEnd, minimum);
            }
        }
    }

    /// @dev Runs the nested program that this callback brings, answers as the caller wants it, and ends the call.
    function callback(uint256 guard) private {
        (uint256 cursor, uint256 end) = Guard.close(guard);
        if (guard & Guard.ROUTE != 0) Route.runNested(WETH, guard, cursor, end);
        else Interpreter.run(WETH, cursor, end);
        uint256 answered = guard & Guard.ANSWER;
        if (answered == Guard.ANSWER_TRUE) answer(1);
        if (answered == Guard.ANSWER_ERC3156) answer(uint256(keccak256("ERC3156FlashBorrower.onFlashLoan")));
        if (answered == Guard.ANSWER_BYTES) {
            assembly ("memory-safe") {
                mstore(0x00, 0x20)
                mstore(0x20, 0)
                return(0x00, 0x40)
            }
        }
        Calls.stop();
    }

    // --- administration ----------------------------------------------------------------------------------------

    /// @dev The functions of `IExecutor`, found by their selectors. Ends the call.
    function administer() private {
        if (msg.value != 0) revert IExecutor.EthRefused(msg.sender);
        bytes4 selector = msg.sig;
        if (selector == IExecutor.owner.selector) answer(OWNER);
        if (selector == IExecutor.WETH.selector) answer(uint160(WETH));
        if (selector == IExecutor.isOperator.selector) {
            answer(operators[abi.decode(msg.data[4:], (address))] ? 1 : 0);
        }
        if (uint160(msg.sender) != OWNER) revert IExecutor.Unauthorized(msg.sender);
        if (selector == IExecutor.setOperator.selector) {
            (address operator, bool allowed) = abi.decode(msg.data[4:], (address, bool));
            operators[operator] = allowed;
            emit IExecutor.OperatorSet(operator, allowed);
        } else if (selector == IExecutor.withdrawToken.selector) {
            (address token, uint256 amount) = abi.decode(msg.data[4:], (address, uint256));
            emit IExecutor.Withdrawn(token, amount);
            Tokens.transfer(token, msg.sender, amount);
        } else if (selector == IExecutor.withdrawEth.selector) {
            uint256 amount = abi.decode(msg.data[4:], (uint256));
            emit IExecutor.Withdrawn(address(0), amount);
            Calls.sendEth(msg.sender, amount);
        } else {
            revert IExecutor.UnknownFunction(selector);
        }
        Calls.stop();
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
