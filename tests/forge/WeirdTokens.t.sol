// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "../../contracts/interfaces/IExecutor.sol";
import {Program} from "../../contracts/libraries/Program.sol";
import {Accomplice} from "./helpers/Evil.sol";
import {AnyLender} from "./helpers/Lenders.sol";
import {IV2Pair} from "./helpers/Protocols.sol";
import {Programs} from "./helpers/Programs.sol";
import {Stage} from "./helpers/Stage.sol";
import {Steps} from "./helpers/Steps.sol";
import {
    FalseToken,
    FeeToken,
    HookToken,
    LoudToken,
    PlainToken,
    RebasingToken,
    RevertingToken,
    Salmonella,
    SilentToken
} from "./helpers/Tokens.sol";

/// @notice Tokens as they should not be. A trade that names one fails, or does what it promised; WETH, ETH and other
/// tokens are never touched.
contract WeirdTokensTest is Stage {
    /// @dev A cycle through two pairs of WETH and the token: bought in one, sold in the other.
    function cycle(address token) private returns (bytes memory steps, uint256 out, address two) {
        address one = weirdPair(v2.createPair(address(weth), token), token, 2 * DEPTH);
        two = weirdPair(sushi.createPair(address(weth), token), token, DEPTH);
        Programs.Hop memory x = v2Hop(one, address(weth), IN);
        Programs.Hop memory y = v2Hop(two, token, x.out);
        return (Programs.payChain(IN, x, y, false), y.out, two);
    }

    function weirdPair(address made, address token, uint256 amount) private returns (address) {
        weth.transfer(made, DEPTH);
        PlainToken(token).mint(made, amount);
        IV2Pair(made).mint(address(this));
        return made;
    }

    /// @dev The pair that is to be paid in it gets less than it must.
    function test_feeAndSalmonella() public {
        PlainToken[2] memory tokens = [PlainToken(address(new FeeToken())), new Salmonella()];
        for (uint256 i = 0; i < 2; ++i) {
            (bytes memory steps,, address two) = cycle(address(tokens[i]));
            refused(
                Programs.program(0, steps),
                failed(two, abi.encodeWithSignature("Error(string)", "UniswapV2: K"))
            );
        }
    }

    /// @dev A trade that reckons with the loss is a trade.
    function test_salmonellaReckonedWith() public {
        Salmonella token = new Salmonella();
        address one = weirdPair(v2.createPair(address(weth), address(token)), address(token), 20 * DEPTH);
        address two = weirdPair(sushi.createPair(address(weth), address(token)), address(token), DEPTH);
        Programs.Hop memory x = v2Hop(one, address(weth), IN);
        Programs.Hop memory y = v2Hop(two, address(token), x.out / 10);
        trade(Programs.program(y.out - IN, Programs.payChain(IN, x, y, false)));
        assertEq(held(address(weth)), HELD + y.out - IN);
    }

    function test_reverting() public {
        RevertingToken token = new RevertingToken();
        (bytes memory steps,,) = cycle(address(token));
        stopped(Programs.program(0, steps));
        token.mint(executor, 1);
        refused(
            Programs.program(0, address(token), Programs.payTo(address(token), stranger, 1)),
            failed(address(token), abi.encodeWithSelector(RevertingToken.No.selector))
        );
        vm.expectRevert(failed(address(token), abi.encodeWithSelector(RevertingToken.No.selector)));
        vm.prank(owner);
        IExecutor(executor).withdrawToken(address(token), 1);
    }

    /// @dev Says no, and keeps what it was to send.
    function test_false() public {
        FalseToken token = new FalseToken();
        (bytes memory steps,,) = cycle(address(token));
        stopped(Programs.program(0, steps));
        token.mint(executor, 1);
        refused(
            Programs.program(0, address(token), Programs.payTo(address(token), stranger, 1)),
            failed(address(token), abi.encode(false))
        );
    }

    function test_silent() public {
        SilentToken token = new SilentToken();
        (bytes memory steps, uint256 out,) = cycle(address(token));
        trade(Programs.program(out - IN, steps));
        assertEq(held(address(weth)), HELD + out - IN);
        token.mint(executor, 2);
        trade(Programs.program(0, address(token), Programs.payTo(address(token), executor, 1)));
        refused2(address(token));
        vm.prank(owner);
        IExecutor(executor).withdrawToken(address(token), 2);
        assertEq(token.balanceOf(owner), 2);
    }

    function refused2(address token) private {
        vm.expectRevert(abi.encodeWithSelector(IExecutor.BelowMinimum.selector, token, 2, 1, 0));
        this.tradeOutside(Programs.program(0, token, Programs.payTo(token, stranger, 1)));
    }

    /// @dev Balances that change by themselves: what is declared is compared as it is told.
    function test_rebasing() public {
        RebasingToken token = new RebasingToken();
        token.mint(executor, HELD);
        (bytes memory steps,,) = cycle(address(token));
        stopped(Programs.program(0, steps)); // the second pair has shrunk
        bytes memory dust = Programs.payTo(address(token), address(token), 0);
        stopped(Programs.program(0, address(token), dust));
        token.setGrows(true);
        trade(Programs.program(1 ether, address(token), dust));
        assertGt(token.balanceOf(executor), HELD);
        assertUntouched();
    }

    /// @dev Huge answers cost their sender's gas, and change nothing; a true in front of them is a true.
    function test_loud(uint256 size) public {
        LoudToken token = new LoudToken();
        token.mint(executor, 10);
        bytes memory program =
            Programs.program(0, address(token), Programs.payTo(address(token), executor, 1));
        token.set(bound(size, 32, 100_000), false);
        trade(program);
        token.set(bound(size, 1, 31), false);
        refusedAnyhow(program);
        token.set(bound(size, 0, 100_000), true);
        refusedAnyhow(program);
        token.set(1 << 40, bound(size, 0, 1) == 0);
        vm.prank(owner);
        (bool success,) = executor.call{gas: 1_000_000}(program);
        assertFalse(success);
        assertUntouched();
        assertEq(token.balanceOf(executor), 10);
    }

    function refusedAnyhow(bytes memory program) private {
        vm.prank(owner);
        (bool success, bytes memory answer) = executor.call(program);
        assertFalse(success);
        assertEq(bytes4(answer), IExecutor.CallFailed.selector);
    }

    // --- hooks -------------------------------------------------------------------------------------------------------

    /// @dev While a hooked token of a trade moves, an operator, a former one and a stranger do what they can.
    function test_hooksTakeNothing(uint8 which, uint256 amount) public {
        HookToken token = new HookToken();
        (bytes memory steps, uint256 out,) = cycle(address(token));
        token.mint(executor, HELD);
        Accomplice friend = new Accomplice();
        if (which & 1 == 0) makeOperator(address(friend));
        bytes[] memory calls = attempts(address(token), address(friend), bound(amount, 1, HELD));
        bytes memory call_ = calls[(which >> 1) % calls.length];
        token.setHook(address(friend), abi.encodeCall(Accomplice.forward, (executor, call_)));
        trade(Programs.program(out - IN, steps));
        assertTrue(token.hookRan());
        assertEq(held(address(weth)), HELD + out - IN);
        assertEq(held(address(a)), HELD);
        assertEq(token.balanceOf(executor), HELD);
        assertEq(executor.balance, HELD);
    }

    function attempts(address token, address friend, uint256 amount)
        private
        view
        returns (bytes[] memory calls)
    {
        calls = new bytes[](9);
        calls[0] = Programs.program(0, Programs.payTo(friend, amount));
        calls[1] = Programs.program(0, token, Programs.payTo(token, friend, amount));
        calls[2] = Programs.program(0, Programs.payTo(token, friend, amount));
        calls[3] = Programs.program(0, Programs.tip(amount));
        calls[4] = Programs.program(0, Steps.wrap(amount));
        calls[5] = abi.encodeCall(IExecutor.withdrawToken, (address(weth), amount));
        calls[6] = abi.encodeCall(IExecutor.setOperator, (friend, true));
        calls[7] = v3Callback(Programs.payTo(friend, amount));
        calls[8] = Programs.program(0, address(a), Programs.payTo(address(a), friend, amount));
    }

    /// @dev A hooked token that is declared and spent: its marks do not serve another program that takes.
    function test_hookSpendsWhatAnotherDeclared(uint256 amount) public {
        amount = bound(amount, 1, HELD - 2);
        HookToken token = new HookToken();
        token.mint(executor, HELD);
        Accomplice friend = new Accomplice();
        makeOperator(address(friend));
        bytes memory steal = Programs.program(0, Programs.payTo(address(token), stranger, amount));
        token.setHook(address(friend), abi.encodeCall(Accomplice.forward, (executor, steal)));
        bytes memory program =
            Programs.program(0, address(token), Programs.payTo(address(token), executor, 1));
        refused(program, below(address(token), HELD - amount));
        assertEq(token.balanceOf(stranger), 0);
    }

    /// @dev Reenters while an allowance stands: a hooked token that is lent, then pulled.
    function test_hookWhileAnAllowanceStands() public {
        HookToken token = new HookToken();
        AnyLender lender = new AnyLender();
        token.mint(executor, HELD);
        token.mint(address(lender), HELD);
        uint256[3] memory kinds = [Program.MORPHO, Program.AAVE_V3, Program.ERC3156];
        for (uint256 i = 0; i < 3; ++i) {
            token.setHook(address(lender), abi.encodeCall(AnyLender.steal, (address(token), executor, HELD)));
            bytes memory loan = Steps.loan(kinds[i], address(lender), address(token), HELD, HELD, nothing());
            try this.tradeOutside(Programs.program(0, address(token), loan)) {} catch {}
            assertEq(token.balanceOf(executor), HELD);
            assertEq(token.allowance(executor, address(lender)), 0);
            assertUntouched();
        }
    }
}
