// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "../../contracts/interfaces/IExecutor.sol";
import {Program} from "../../contracts/libraries/Program.sol";
import {Accomplice, Batch, EvilPool} from "./helpers/Evil.sol";
import {Programs} from "./helpers/Programs.sol";
import {FalseToken, FeeToken, HookToken} from "./helpers/Tokens.sol";
import {Stage} from "./helpers/Stage.sol";

/// @notice What must not work, on an executor that holds WETH, a token, and ETH that was forced on it.
contract AttacksTest is Stage {
    // --- strangers -----------------------------------------------------------------------------------------------

    function test_strangersCannotTrade(address who, bytes calldata data) public {
        vm.assume(who != owner && who != operator && who != address(weth));
        bytes memory steal = abi.encodePacked(uint8(0), Programs.payTo(who, 1 ether));
        assertRefusesCall(who, steal);
        assertRefusesCall(who, data.length == 0 ? bytes(hex"00") : data);
        assertUntouched();
    }

    function test_strangersCannotCallBack(address who, uint256 drained) public {
        vm.assume(who != owner && who != operator && who != address(weth));
        bytes[] memory calls = callbacks(Programs.payTo(who, bound(drained, 1, HELD)));
        for (uint256 i = 0; i < calls.length; ++i) {
            assertRefusesCall(who, calls[i]);
        }
        assertUntouched();
    }

    function test_strangersCannotAdminister(address who, uint256 amount) public {
        vm.assume(who != owner);
        assertRefuses(who, abi.encodeCall(IExecutor.setOperator, (who, true)));
        assertRefuses(who, abi.encodeCall(IExecutor.withdrawToken, (address(weth), amount)));
        assertRefuses(who, abi.encodeCall(IExecutor.withdrawEth, (amount)));
        assertFalse(IExecutor(executor).isOperator(who) && who != operator);
        assertUntouched();
    }

    function test_operatorCannotAdminister() public {
        test_strangersCannotAdminister(operator, 1 ether);
    }

    function test_formerOperatorCannotTrade() public {
        vm.prank(owner);
        IExecutor(executor).setOperator(operator, false);
        assertRefuses(operator, hex"00");
    }

    // --- ETH -----------------------------------------------------------------------------------------------------

    function test_ethOnlyFromWeth() public {
        address[3] memory senders = [owner, operator, stranger];
        for (uint256 i = 0; i < senders.length; ++i) {
            bytes memory reason = abi.encodeWithSelector(IExecutor.EthRefused.selector, senders[i]);
            assertRefusesEth(senders[i], "", reason);
            assertRefusesEth(senders[i], hex"00", reason);
            assertRefusesEth(senders[i], abi.encodeCall(IExecutor.withdrawEth, (0)), reason);
        }
        vm.deal(address(weth), address(weth).balance + 1);
        vm.prank(address(weth));
        (bool success,) = executor.call{value: 1, gas: 2300}("");
        assertTrue(success);
        assertEq(executor.balance, HELD + 1);
    }

    function assertRefusesEth(address who, bytes memory data, bytes memory reason) private {
        hoax(who, 1 ether);
        (bool success, bytes memory answer) = executor.call{value: 1}(data);
        assertFalse(success);
        assertEq(answer, reason);
        assertUntouched();
    }

    function test_callbackWithEthIsRefused() public {
        evil.add(address(0), v3Callback(nothing()), 1);
        evil.add(address(0), v3Callback(nothing()), 0);
        trade(Programs.program(0, evilSwap(nothing())));
        assertFalse(evil.succeeded(0));
        assertEq(evil.answers(0), wrongCallback(address(evil)));
        assertTrue(evil.succeeded(1));
        assertUntouched();
    }

    // --- the guard -----------------------------------------------------------------------------------------------

    /// @dev The callback that is awaited does run, by any name, and only once.
    function test_callbackOnlyOnce() public {
        bytes memory nested = Programs.payTo(address(this), 0);
        evil.add(address(0), v3Callback(nested), 0);
        evil.add(address(0), v3Callback(nested), 0);
        trade(Programs.program(0, evilSwap(nested)));
        assertTrue(evil.succeeded(0));
        assertFalse(evil.succeeded(1));
        assertEq(evil.answers(1), abi.encodeWithSelector(IExecutor.Unauthorized.selector, evil));
    }

    function test_callbackFromAnother() public {
        bytes memory nested = Programs.payTo(address(this), 0);
        address other = address(new Accomplice());
        evil.add(other, v3Callback(nested), 0);
        evil.add(address(0), v3Callback(nested), 0);
        trade(Programs.program(0, evilSwap(nested)));
        (bool success, bytes memory answer) =
            abi.decode(abi.encode(false, wrongCallback(other)), (bool, bytes));
        assertEq(evil.succeeded(0), success);
        assertEq(evil.answers(0), answer);
        assertTrue(evil.succeeded(1));
    }

    /// @dev An operator cannot trade while a callback is awaited either: the pool might be the operator.
    function test_noTradeWhileACallbackIsAwaited() public {
        bytes memory nested = Programs.payTo(address(this), 0);
        address other = address(new Accomplice());
        vm.prank(owner);
        IExecutor(executor).setOperator(other, true);
        evil.add(other, hex"00", 0);
        evil.add(address(0), v3Callback(nested), 0);
        trade(Programs.program(0, evilSwap(nested)));
        assertFalse(evil.succeeded(0));
        assertEq(evil.answers(0), wrongCallback(other));
        assertTrue(evil.succeeded(1));
    }

    function test_forgedProgram(bytes calldata forged, uint256 amount) public {
        bytes memory nested = Programs.payTo(address(this), 0);
        vm.assume(keccak256(forged) != keccak256(nested));
        evil.add(address(0), v3Callback(forged), 0);
        evil.add(address(0), v3Callback(Programs.payTo(address(evil), bound(amount, 1, HELD))), 0);
        evil.add(address(0), v3Callback(abi.encodePacked(nested, uint8(0))), 0);
        evil.add(address(0), v3Callback(""), 0);
        evil.add(address(0), v3Callback(nested), 0);
        trade(Programs.program(0, evilSwap(nested)));
        for (uint256 i = 0; i < 4; ++i) {
            assertFalse(evil.succeeded(i));
            assertEq(evil.answers(i), wrongCallback(address(evil)));
        }
        assertTrue(evil.succeeded(4));
        assertUntouched();
    }

    /// @dev Another callback of the same pool, in whose data the right program stands elsewhere.
    function test_programInAnotherPlace() public {
        bytes memory nested = Programs.payTo(address(this), 0);
        bytes[] memory calls = callbacks(nested);
        for (uint256 i = 0; i < calls.length; ++i) {
            if (i < 3 || i > 6) evil.add(address(0), calls[i], 0);
        }
        evil.add(address(0), v3Callback(nested), 0);
        trade(Programs.program(0, evilSwap(nested)));
        for (uint256 i = 0; i + 1 < evil.done(); ++i) {
            assertFalse(evil.succeeded(i));
        }
        assertTrue(evil.succeeded(evil.done() - 1));
    }

    function test_huge_lengthInCallback(uint256 length) public {
        bytes memory nested = Programs.payTo(address(this), 0);
        length = bound(length, 1 << 20, type(uint256).max);
        bytes memory data = abi.encodePacked(
            bytes4(keccak256(bytes(V3_CALLBACK))), uint256(1), uint256(1), uint256(0x60), length, nested
        );
        evil.add(address(0), data, 0);
        vm.prank(owner);
        (bool success,) = executor.call{gas: 1_000_000}(Programs.program(0, evilSwap(nested)));
        assertFalse(success);
        assertUntouched();
    }

    /// @dev Nobody home: a call of nothing succeeds, and must not pass for a swap.
    function test_poolWithoutCode() public {
        address nobody = makeAddr("nobody");
        refused(Programs.program(0, Programs.v3(nobody, true, 1, Program.TO_EXECUTOR, "")), missing(nobody));
        refused(
            Programs.program(0, Programs.payChain(1 ether, Programs.Hop(nobody, true, 2 ether), false)),
            below(address(weth), HELD - 1 ether)
        );
    }

    /// @dev A pool cannot keep its callback for after the profit check.
    function test_callbackAfterTheTrade() public {
        Batch batch = new Batch();
        vm.prank(owner);
        IExecutor(executor).setOperator(address(batch), true);
        EvilPool late = new EvilPool(executor);
        bytes memory nested = Programs.payTo(address(late), 1 ether);
        address[] memory targets = new address[](2);
        bytes[] memory data = new bytes[](2);
        (targets[0], data[0]) =
        (executor, Programs.program(0, Programs.v3(address(late), true, 1, Program.TO_EXECUTOR, nested)));
        (targets[1], data[1]) = (address(late), abi.encodeCall(EvilPool.act, ()));
        vm.expectRevert(missing(address(late)));
        batch.run(targets, data);
        assertUntouched();
    }

    // --- hostile tokens ------------------------------------------------------------------------------------------

    /// @dev A token of the trade calls a stranger when the pool sends it: while the guard is open.
    function test_tokenReenters() public {
        HookToken hook = new HookToken();
        hook.mint(address(this), 10 * DEPTH);
        address pool = poolOf(address(weth), address(hook), 3000);
        address two = pair(v2, address(weth), 2 * DEPTH, address(hook), DEPTH);
        (bool zeroForOne, uint256 out) = v3Quote(pool, address(weth), IN);
        Programs.Hop memory y = v2Hop(two, address(hook), out);
        bytes memory nested = abi.encodePacked(Programs.chain(y, false), Programs.pay(IN));
        bytes memory program =
            Programs.program(0, Programs.v3(pool, zeroForOne, IN, Program.TO_NESTED_POOL, nested));

        hook.setHook(executor, v3Callback(nested));
        trade(program);
        assertTrue(hook.hookRan());
        assertFalse(hook.hookSucceeded());
        assertEq(held(address(weth)), HELD + y.out - IN);
    }

    function test_tokenReentersWhileTheGuardIsClosed(bytes calldata junk) public {
        HookToken hook = new HookToken();
        hook.mint(address(this), 10 * DEPTH);
        address one = pair(v2, address(weth), DEPTH, address(hook), 2 * DEPTH);
        address two = pair(sushi, address(weth), DEPTH, address(hook), DEPTH);
        Programs.Hop memory x = v2Hop(one, address(weth), IN);
        Programs.Hop memory y = v2Hop(two, address(hook), x.out);
        bytes memory nested = Programs.payChain(IN, x, true);
        bytes4 selector = bytes4(junk);
        vm.assume(
            selector != IExecutor.owner.selector && selector != IExecutor.WETH.selector
                && selector != IExecutor.isOperator.selector
        );
        hook.setHook(
            executor,
            junk.length > 0
                ? junk
                : abi.encodeWithSignature(
                    "uniswapV2Call(address,uint256,uint256,bytes)", executor, 1, 0, nested
                )
        );
        trade(Programs.program(0, Programs.flash(two, y.zeroForOne, y.out, nested)));
        assertTrue(hook.hookRan());
        assertFalse(hook.hookSucceeded());
        assertEq(held(address(weth)), HELD + y.out - IN);
    }

    function test_feeTokenTakesNothing() public {
        FeeToken fee = new FeeToken();
        fee.mint(address(this), 10 * DEPTH);
        address one = pair(v2, address(weth), DEPTH, address(fee), 2 * DEPTH);
        address two = pair(sushi, address(weth), DEPTH, address(fee), DEPTH);
        Programs.Hop memory x = v2Hop(one, address(weth), IN);
        Programs.Hop memory y = v2Hop(two, address(fee), x.out);
        refused(
            Programs.program(0, Programs.payChain(IN, x, y, false)),
            failed(two, abi.encodeWithSignature("Error(string)", "UniswapV2: K"))
        );
    }

    function test_tokenThatSaysNo() public {
        FalseToken no = new FalseToken();
        no.mint(executor, 1 ether);
        refused(
            Programs.program(0, address(no), Programs.payTo(address(no), stranger, 1)),
            failed(address(no), abi.encode(false))
        );
        vm.prank(owner);
        vm.expectRevert(failed(address(no), abi.encode(false)));
        IExecutor(executor).withdrawToken(address(no), 1);
    }

    function test_tokenWithoutCode() public {
        address nobody = makeAddr("nobody");
        refused(Programs.program(0, nobody, ""), abi.encodeWithSelector(IExecutor.NotAToken.selector, nobody));
        vm.prank(owner);
        vm.expectRevert(failed(nobody, ""));
        IExecutor(executor).withdrawToken(nobody, 1);
    }

    // --- programs that would take ----------------------------------------------------------------------------------

    /// @dev No program lowers a balance, whoever wrote it: a stolen operator's key gains nothing.
    function test_programCannotTake(uint256 amount) public {
        amount = bound(amount, 1, HELD);
        address weth_ = address(weth);
        refused(Programs.program(0, Programs.payTo(stranger, amount)), below(weth_, HELD - amount));
        refused(Programs.program(0, Programs.tip(amount)), below(weth_, HELD - amount));
        refused(
            Programs.program(0, weth_, Programs.payTo(weth_, stranger, amount)), below(weth_, HELD - amount)
        );
        refused(
            Programs.program(0, address(a), Programs.payTo(stranger, amount)), below(weth_, HELD - amount)
        );
        refused(
            Programs.program(0, address(a), Programs.payTo(address(a), stranger, amount)),
            below(address(a), HELD - amount)
        );
        refused(Programs.program(0, Programs.payTo(address(a), stranger, amount)), undeclared(address(a)));
        refused(
            Programs.program(0, Programs.loan(Program.MORPHO, stranger, address(a), amount, "")),
            undeclared(address(a))
        );
        refused(
            Programs.program(
                0, Programs.payChain(address(a), amount, Programs.Hop(stranger, true, 1), false)
            ),
            undeclared(address(a))
        );
    }

    function test_nestedProgramCannotTake() public {
        bytes memory nested = Programs.payTo(stranger, 1 ether);
        evil.add(address(0), v3Callback(nested), 0);
        refused(Programs.program(0, evilSwap(nested)), below(address(weth), HELD - 1 ether));
    }

    /// @dev The ETH that lies in the executor cannot be tipped away: a tip is first taken from WETH.
    function test_tipCannotSpendEth() public {
        refused(
            Programs.program(0, Programs.tip(HELD + 1)), // more than the WETH there is
            ""
        );
    }

    /// @dev What one program declared, the next one in the same transaction has not.
    function test_declarationsEnd() public {
        Batch batch = new Batch();
        vm.prank(owner);
        IExecutor(executor).setOperator(address(batch), true);
        address[] memory targets = new address[](2);
        bytes[] memory data = new bytes[](2);
        (targets[0], data[0]) = (executor, Programs.program(0, address(a), ""));
        (targets[1], data[1]) = (executor, Programs.program(0, Programs.payTo(address(a), stranger, 1)));
        vm.expectRevert(undeclared(address(a)));
        batch.run(targets, data);
        assertUntouched();
    }

    /// @dev Profit that another trade made in between is not lost, and no balance is lower than before.
    function test_tradeInsideATrade() public {
        address other = address(new Accomplice());
        vm.prank(owner);
        IExecutor(executor).setOperator(other, true);
        bytes memory nested = nothing();
        evil.add(address(0), v3Callback(nested), 0);
        evil.add(other, abi.encodePacked(uint8(0), Programs.payTo(stranger, 1)), 0);
        trade(Programs.program(0, evilSwap(nested)));
        assertTrue(evil.succeeded(0));
        assertFalse(evil.succeeded(1));
        assertEq(evil.answers(1), below(address(weth), HELD - 1));
        assertUntouched();
    }

    function test_unknownSteps(uint8 head) public {
        head = uint8(bound(head, Program.V4_SYNC + 1, Program.V4_SWAP - 1));
        refused(
            Programs.program(0, abi.encodePacked(head)),
            abi.encodeWithSelector(IExecutor.UnknownStep.selector, uint256(head))
        );
    }

    /// @dev A program of noise, even the owner's, takes nothing.
    function test_noiseTakesNothing(bytes calldata noise) public {
        vm.prank(owner);
        (bool success,) = executor.call{gas: 5_000_000}(abi.encodePacked(uint8(0), noise));
        success;
        assertUntouched();
    }
}
