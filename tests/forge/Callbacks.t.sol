// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Program} from "../../contracts/libraries/Program.sol";
import {Accomplice, Batch, EvilPool} from "./helpers/Evil.sol";
import {AnyLender} from "./helpers/Lenders.sol";
import {Programs} from "./helpers/Programs.sol";
import {IV2Pair} from "./helpers/Protocols.sol";
import {Stage} from "./helpers/Stage.sol";
import {Steps} from "./helpers/Steps.sol";
import {HookToken} from "./helpers/Tokens.sol";

/// @notice Forged callbacks of every protocol: for each step that opens the guard, who and what it lets in.
contract CallbacksTest is Stage {
    uint256 private constant OPENINGS = 9;

    /// @dev The steps that open the guard, all to the evil one, and which of `callbacks` answers each.
    function opening(uint256 which, bytes memory nested)
        private
        view
        returns (bytes memory step, uint256 callback)
    {
        address to = address(evil);
        if (which == 0) return (Programs.flash(to, true, 1, nested), 0);
        if (which == 1) return (evilSwap(nested), 3);
        if (which == 2) return (Steps.flashV3(to, true, address(0), 1, nested), 6);
        if (which == 3) return (Steps.loan(Program.MORPHO, to, address(0), 1, 0, nested), 7);
        if (which == 4) return (Steps.loan(Program.BALANCER_V2, to, address(0), 1, 0, nested), 8);
        if (which == 5) return (Steps.loan(Program.AAVE_V3, to, address(0), 1, 1, nested), 9);
        if (which == 6) return (Steps.unlock(to, nested), 10);
        if (which == 7) {
            Steps.Market memory market = Steps.Market(to, address(0), address(b), to, to, 1);
            return (Steps.liquidateMorpho(market, stranger, 1, 0, 1, nested), 11);
        }
        return (Steps.loan(Program.ERC3156, to, address(0), 1, 1, nested), 12);
    }

    /// @dev An evil one that knows nothing of the last one's doings.
    function renew() private {
        evil = new EvilPool{value: 1 ether}(executor);
    }

    function expected(uint256 which, bytes memory nested) private view returns (bytes memory) {
        (, uint256 callback) = opening(which, nested);
        return callbacks(nested)[callback];
    }

    function open(uint256 which, bytes memory nested) private view returns (bytes memory) {
        (bytes memory step,) = opening(which, nested);
        return Programs.program(0, step);
    }

    /// @dev The awaited callback runs, and gets its answer; a second one is a stranger's call.
    function test_onlyOnce() public {
        bytes memory nested = nothing();
        bytes[OPENINGS] memory answers;
        answers[5] = abi.encode(true);
        answers[6] = abi.encode(bytes(""));
        answers[8] = abi.encode(keccak256("ERC3156FlashBorrower.onFlashLoan"));
        for (uint256 i = 0; i < OPENINGS; ++i) {
            renew();
            evil.add(address(0), expected(i, nested), 0);
            evil.add(address(0), expected(i, nested), 0);
            trade(open(i, nested));
            assertTrue(evil.succeeded(0));
            assertEq(evil.answers(0), answers[i]);
            assertFalse(evil.succeeded(1));
            assertEq(evil.answers(1), unauthorized(address(evil)));
        }
        assertUntouched();
    }

    function test_neverMissing() public {
        for (uint256 i = 0; i < OPENINGS; ++i) {
            refused(open(i, nothing()), missing(address(evil)));
            refused(open(i, ""), missing(address(evil)));
        }
    }

    /// @dev Called back from another account, even an operator's or WETH's own, before the right one.
    function test_fromAnother() public {
        bytes memory nested = nothing();
        address other = address(new Accomplice());
        address friend = address(new Accomplice());
        makeOperator(friend);
        for (uint256 i = 0; i < OPENINGS; ++i) {
            renew();
            evil.add(other, expected(i, nested), 0);
            evil.add(friend, expected(i, nested), 0);
            evil.add(friend, Programs.program(0, ""), 0);
            evil.add(address(0), expected(i, nested), 0);
            trade(open(i, nested));
            assertEq(evil.answers(0), wrongCallback(other));
            assertEq(evil.answers(1), wrongCallback(friend));
            assertEq(evil.answers(2), wrongCallback(friend));
            assertTrue(evil.succeeded(3));
        }
        assertUntouched();
    }

    /// @dev Called back with another program: of one byte less, one more, one other, or one that takes.
    function test_withAnotherProgram(uint256 place, uint8 flip) public {
        bytes memory nested = nothing();
        place = bound(place, 0, nested.length - 1);
        bytes memory other = nothing();
        other[place] = bytes1(uint8(other[place]) ^ (flip == 0 ? 1 : flip));
        bytes memory less = nothing();
        assembly {
            mstore(less, sub(mload(less), 1))
        }
        for (uint256 i = 0; i < OPENINGS; ++i) {
            renew();
            evil.add(address(0), expected(i, other), 0);
            evil.add(address(0), expected(i, less), 0);
            evil.add(address(0), expected(i, abi.encodePacked(nested, uint8(0))), 0);
            evil.add(address(0), expected(i, Programs.payTo(address(evil), HELD)), 0);
            evil.add(address(0), expected(i, ""), 0);
            evil.add(address(0), expected(i, nested), 1);
            evil.add(address(0), expected(i, nested), 0);
            trade(open(i, nested));
            for (uint256 j = 0; j < 6; ++j) {
                assertEq(evil.answers(j), wrongCallback(address(evil)));
            }
            assertTrue(evil.succeeded(6));
        }
        assertUntouched();
    }

    /// @dev What is let in under another protocol's name is let in once, and is the same program.
    function test_ofAnotherProtocol() public {
        bytes memory nested = Programs.payTo(address(this), 0);
        for (uint256 i = 0; i < OPENINGS; ++i) {
            renew();
            bytes[] memory calls = callbacks(nested);
            for (uint256 j = 0; j < calls.length; ++j) {
                evil.add(address(0), calls[j], 0);
            }
            trade(open(i, nested));
            uint256 letIn;
            for (uint256 j = 0; j < calls.length; ++j) {
                if (evil.succeeded(j)) ++letIn;
            }
            assertEq(letIn, 1);
        }
        assertUntouched();
    }

    function test_afterTheTrade() public {
        Batch batch = new Batch();
        makeOperator(address(batch));
        address[] memory targets = new address[](2);
        bytes[] memory data = new bytes[](2);
        (targets[0], targets[1]) = (executor, address(evil));
        data[1] = abi.encodeCall(EvilPool.act, ());
        for (uint256 i = 0; i < OPENINGS; ++i) {
            data[0] = open(i, Programs.payTo(address(evil), HELD));
            vm.expectRevert(missing(address(evil)));
            batch.run(targets, data);
        }
        assertUntouched();
    }

    /// @dev What the nested program takes, the end of the program misses.
    function test_nestedCannotTake() public {
        bytes memory nested = Programs.payTo(stranger, 1);
        for (uint256 i = 0; i < OPENINGS; ++i) {
            renew();
            evil.add(address(0), expected(i, nested), 0);
            refused(open(i, nested), below(address(weth), HELD - 1));
        }
    }

    /// @dev Nested steps in nested steps: the guard is as strict the second time.
    function test_nestedTwice() public {
        EvilPool inner = new EvilPool(executor);
        bytes memory innermost = nothing();
        for (uint256 i = 0; i < OPENINGS; ++i) {
            renew();
            inner = new EvilPool(executor);
            inner.add(address(0), v3Callback(Programs.payTo(address(inner), HELD)), 0);
            inner.add(address(0), v3Callback(innermost), 0);
            inner.add(address(0), v3Callback(innermost), 0);
            bytes memory nested = Programs.v3(address(inner), true, 1, Program.TO_EXECUTOR, innermost);
            evil.add(address(0), expected(i, nested), 0);
            evil.add(address(0), expected(i, nested), 0);
            trade(open(i, nested));
            assertEq(inner.answers(0), wrongCallback(address(inner)));
            assertTrue(inner.succeeded(1));
            assertEq(inner.answers(2), unauthorized(address(inner)));
            assertTrue(evil.succeeded(0));
            assertEq(evil.answers(1), unauthorized(address(evil)));
        }
        assertUntouched();
    }

    // --- real pools and lenders that strangers turn on the executor --------------------------------------------------

    /// @dev Anyone may have a pool or lender send something to the executor and call it.
    function test_strangersTurnPoolsOnTheExecutor() public {
        bytes memory steal = Programs.payTo(stranger, HELD);
        address ab = pair(v2, address(weth), DEPTH, address(a), DEPTH);
        address vault = balancerVault();
        AnyLender lender = new AnyLender();
        weth.transfer(vault, 1 ether);
        weth.transfer(address(lender), 1 ether);
        address[] memory tokens = new address[](1);
        uint256[] memory amounts = new uint256[](1);
        (tokens[0], amounts[0]) = (address(weth), 1 ether);
        vm.startPrank(stranger);
        vm.expectRevert(unauthorized(ab));
        IV2Pair(ab).swap(1, 0, executor, steal);
        vm.expectRevert(unauthorized(vault));
        IVault(vault).flashLoan(executor, tokens, amounts, steal);
        vm.expectRevert("callback");
        lender.flashLoanSimple(executor, address(weth), 1, steal, 0);
        vm.expectRevert("callback");
        lender.flashLoan(executor, address(weth), 1, steal);
        vm.stopPrank();
        assertUntouched();
    }

    /// @dev While the guard is open for a lender, its token calls a stranger, who borrows from the same lender for the
    /// executor, with the very program that is awaited. The program then runs in the stranger's loan; the trade's own
    /// callback comes second, and everything ends.
    function test_strangersLoanWhileTheGuardIsOpen() public {
        uint256[2] memory kinds = [Program.AAVE_V3, Program.ERC3156];
        for (uint256 i = 0; i < 2; ++i) {
            HookToken hook = new HookToken();
            AnyLender lender = new AnyLender();
            hook.mint(address(lender), 1000 ether);
            hook.mint(executor, 10 ether);
            bytes memory nested = nothing();
            bytes memory loan = i == 0
                ? abi.encodeCall(lender.flashLoanSimple, (executor, address(hook), 1 ether, nested, 0))
                : abi.encodeWithSelector(
                    bytes4(keccak256("flashLoan(address,address,uint256,bytes)")),
                    executor,
                    hook,
                    1 ether,
                    nested
                );
            bytes memory program = Programs.program(
                0,
                address(hook),
                Steps.loan(kinds[i], address(lender), address(hook), 5 ether, 5 ether, nested)
            );
            hook.setHook(address(lender), loan);
            refused(program, failed(address(lender), abi.encodeWithSignature("Error(string)", "callback")));
            hook.setHook(address(0), "");
            trade(program);
            assertEq(hook.balanceOf(executor), 10 ether);
        }
    }
}

interface IVault {
    function flashLoan(address to, address[] calldata tokens, uint256[] calldata amounts, bytes calldata data)
        external;
}
