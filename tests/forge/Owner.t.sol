// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "../../contracts/interfaces/IExecutor.sol";
import {Book} from "../../contracts/libraries/Book.sol";
import {Program} from "../../contracts/libraries/Program.sol";
import {NamedPair, NamedPool} from "./helpers/Evil.sol";
import {Programs} from "./helpers/Programs.sol";
import {SilentToken} from "./helpers/Tokens.sol";
import {World} from "./helpers/World.sol";

/// @notice What the owner does, and how calls are told apart.
contract OwnerTest is World {
    function test_views() public view {
        assertEq(IExecutor(executor).owner(), owner);
        assertEq(IExecutor(executor).WETH(), address(weth));
        assertTrue(IExecutor(executor).isOperator(operator));
        assertFalse(IExecutor(executor).isOperator(owner));
    }

    function test_operators(address who) public {
        vm.startPrank(owner);
        vm.expectEmit(executor);
        emit IExecutor.OperatorSet(who, true);
        IExecutor(executor).setOperator(who, true);
        assertTrue(IExecutor(executor).isOperator(who));
        IExecutor(executor).setOperator(who, false);
        assertFalse(IExecutor(executor).isOperator(who));
        vm.stopPrank();
    }

    function test_withdrawals(uint256 amount) public {
        amount = bound(amount, 0, 10 ether);
        SilentToken silent = new SilentToken();
        silent.mint(executor, 10 ether);
        weth.transfer(executor, 10 ether);
        vm.deal(executor, 10 ether);
        vm.startPrank(owner);
        vm.expectEmit(executor);
        emit IExecutor.Withdrawn(address(weth), amount);
        IExecutor(executor).withdrawToken(address(weth), amount);
        IExecutor(executor).withdrawToken(address(silent), amount);
        vm.expectEmit(executor);
        emit IExecutor.Withdrawn(address(0), amount);
        IExecutor(executor).withdrawEth(amount);
        vm.stopPrank();
        assertEq(weth.balanceOf(owner), amount);
        assertEq(silent.balanceOf(owner), amount);
        assertEq(owner.balance, amount);
    }

    function test_withdrawMoreThanThereIs() public {
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSelector(IExecutor.CallFailed.selector, address(weth), ""));
        IExecutor(executor).withdrawToken(address(weth), 1);
        vm.expectRevert(abi.encodeWithSelector(IExecutor.CallFailed.selector, owner, ""));
        IExecutor(executor).withdrawEth(1);
        vm.stopPrank();
    }

    /// @dev A program is known by its first byte: no function of the interface may begin like one.
    function test_noSelectorBeginsLikeAProgram() public pure {
        bytes4[6] memory selectors = [
            IExecutor.setOperator.selector,
            IExecutor.withdrawToken.selector,
            IExecutor.withdrawEth.selector,
            IExecutor.owner.selector,
            IExecutor.WETH.selector,
            IExecutor.isOperator.selector
        ];
        for (uint256 i = 0; i < selectors.length; ++i) {
            assertGe(uint8(selectors[i][0]), Program.FIRST_SELECTOR);
        }
    }

    function test_unknownFunction(bytes4 selector) public {
        vm.assume(uint8(selector[0]) >= Program.FIRST_SELECTOR);
        vm.assume(selector != IExecutor.setOperator.selector && selector != IExecutor.withdrawToken.selector);
        vm.assume(selector != IExecutor.withdrawEth.selector && selector != IExecutor.owner.selector);
        vm.assume(selector != IExecutor.WETH.selector && selector != IExecutor.isOperator.selector);
        vm.prank(owner);
        (bool success, bytes memory answer) = executor.call(abi.encodePacked(selector));
        assertFalse(success);
        assertEq(answer, abi.encodeWithSelector(IExecutor.UnknownFunction.selector, selector));
    }

    /// @dev Nothing that is called by name takes ETH, or fewer bytes than its arguments have.
    function test_callsAreWhole() public {
        bytes[6] memory calls = [
            abi.encodeCall(IExecutor.owner, ()),
            abi.encodeCall(IExecutor.WETH, ()),
            abi.encodeCall(IExecutor.isOperator, (operator)),
            abi.encodeCall(IExecutor.setOperator, (operator, true)),
            abi.encodeCall(IExecutor.withdrawToken, (address(weth), 0)),
            abi.encodeCall(IExecutor.withdrawEth, (0))
        ];
        vm.deal(owner, 1 ether);
        vm.startPrank(owner);
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool success, bytes memory answer) = executor.call{value: 1}(calls[i]);
            assertFalse(success);
            assertEq(answer, abi.encodeWithSelector(IExecutor.EthRefused.selector, owner));
            (success,) = executor.call(calls[i]);
            assertTrue(success);
            if (calls[i].length == 4) continue;
            bytes memory short = calls[i];
            assembly {
                mstore(short, sub(mload(short), 1))
            }
            (success,) = executor.call(short);
            assertFalse(success);
        }
        vm.stopPrank();
    }

    /// @dev The owner may do without being an operator, and cannot be stopped by anybody.
    function test_ownerTrades() public {
        vm.startPrank(owner);
        IExecutor(executor).setOperator(owner, false);
        (bool success,) = executor.call(hex"00");
        assertTrue(success);
        vm.stopPrank();
    }

    /// @dev What is built in memory from 0x80 on, and what stands behind the code, rest on the shape of the code: it
    /// starts by setting the free memory pointer, keeps nothing there itself, and ends before the book.
    function test_shapeOfTheCode() public view {
        bytes memory code = executor.code;
        assertLt(code.length, Book.START);
        assertEq(bytes5(code), bytes5(hex"6080604052"));
    }

    function test_construction() public {
        assertRefused(abi.encode(address(0), weth));
        assertRefused(abi.encode(owner, stranger));
    }

    function assertRefused(bytes memory arguments) private {
        bytes memory code = abi.encodePacked(vm.getCode("Executor.sol:Executor"), arguments);
        address made;
        bytes memory answer = new bytes(4);
        assembly {
            made := create(0, add(code, 0x20), mload(code))
            returndatacopy(add(answer, 0x20), 0, returndatasize())
        }
        assertEq(made, address(0));
        assertEq(answer, abi.encodeWithSelector(IExecutor.BadConstruction.selector));
    }

    /// @dev Forks call back by names of their own; every one of them is let in, once.
    function test_forksNames() public {
        string[4] memory v3Names = [
            "uniswapV3SwapCallback(int256,int256,bytes)",
            "pancakeV3SwapCallback(int256,int256,bytes)",
            "algebraSwapCallback(int256,int256,bytes)",
            "ramsesV2SwapCallback(int256,int256,bytes)"
        ];
        string[3] memory v2Names = [
            "uniswapV2Call(address,uint256,uint256,bytes)",
            "pancakeCall(address,uint256,uint256,bytes)",
            "apeCall(address,uint256,uint256,bytes)"
        ];
        bytes memory nested = Programs.payTo(makeAddr("payee"), 0);
        for (uint256 i = 0; i < v3Names.length; ++i) {
            address pool = address(new NamedPool(v3Names[i]));
            trade(Programs.program(0, Programs.v3(pool, true, 1, Program.TO_EXECUTOR, nested)));
        }
        for (uint256 i = 0; i < v2Names.length; ++i) {
            address pair = address(new NamedPair(v2Names[i]));
            trade(Programs.program(0, Programs.flash(pair, true, 1, nested)));
        }
    }
}
