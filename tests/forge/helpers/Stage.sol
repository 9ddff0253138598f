// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "../../../contracts/interfaces/IExecutor.sol";
import {Program} from "../../../contracts/libraries/Program.sol";
import {EvilPool} from "./Evil.sol";
import {Programs} from "./Programs.sol";
import {World} from "./World.sol";

/// @title An executor worth robbing: it holds WETH, a token, and ETH that was forced on it
abstract contract Stage is World {
    uint256 internal constant HELD = 100 ether;
    string internal constant V3_CALLBACK = "uniswapV3SwapCallback(int256,int256,bytes)";

    EvilPool internal evil;

    function setUp() public virtual override {
        super.setUp();
        weth.transfer(executor, HELD);
        a.mint(executor, HELD);
        vm.deal(executor, HELD);
        evil = new EvilPool{value: 1 ether}(executor);
    }

    function assertUntouched() internal view {
        assertEq(held(address(weth)), HELD, "WETH");
        assertEq(held(address(a)), HELD, "A");
        assertEq(executor.balance, HELD, "ETH");
    }

    function tradeOutside(bytes calldata program) external {
        trade(program);
    }

    /// @dev The owner's program is refused for this very reason.
    function refused(bytes memory program, bytes memory reason) internal {
        vm.expectRevert(reason);
        this.tradeOutside(program);
        assertUntouched();
    }

    /// @dev The owner's program is refused, for whatever reason.
    function stopped(bytes memory program) internal {
        vm.expectRevert();
        this.tradeOutside(program);
        assertUntouched();
    }

    function failed(address target, bytes memory reason) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IExecutor.CallFailed.selector, target, reason);
    }

    function below(address token, uint256 atEnd) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IExecutor.BelowMinimum.selector, token, HELD, atEnd, 0);
    }

    function undeclared(address token) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IExecutor.Undeclared.selector, token);
    }

    function missing(address target) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IExecutor.CallbackMissing.selector, target);
    }

    function wrongCallback(address who) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IExecutor.WrongCallback.selector, who);
    }

    function unauthorized(address who) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IExecutor.Unauthorized.selector, who);
    }

    /// @dev Steps that do nothing.
    function nothing() internal view returns (bytes memory) {
        return Programs.payTo(address(this), 0);
    }

    function v3Callback(bytes memory program) internal pure returns (bytes memory) {
        return abi.encodeWithSignature(V3_CALLBACK, int256(1), int256(-1), program);
    }

    /// @dev A swap with the evil pool, which then does what it was told.
    function evilSwap(bytes memory nested) internal view returns (bytes memory) {
        return Programs.v3(address(evil), true, 1 ether, Program.TO_EXECUTOR, nested);
    }

    /// @dev The same program in the callback of every protocol that calls back.
    function callbacks(bytes memory data) internal view returns (bytes[] memory calls) {
        address[] memory tokens = new address[](1);
        tokens[0] = address(weth);
        uint256[] memory amounts = new uint256[](1);
        amounts[0] = 1 ether;
        calls = new bytes[](14);
        calls[0] =
            abi.encodeWithSignature("uniswapV2Call(address,uint256,uint256,bytes)", executor, 1, 0, data);
        calls[1] = abi.encodeWithSignature("pancakeCall(address,uint256,uint256,bytes)", executor, 1, 0, data);
        calls[2] = abi.encodeWithSignature("hook(address,uint256,uint256,bytes)", executor, 1, 0, data);
        calls[3] = v3Callback(data);
        calls[4] = abi.encodeWithSignature("pancakeV3SwapCallback(int256,int256,bytes)", 1, -1, data);
        calls[5] = abi.encodeWithSignature("algebraSwapCallback(int256,int256,bytes)", 1, -1, data);
        calls[6] = abi.encodeWithSignature("uniswapV3FlashCallback(uint256,uint256,bytes)", 1, 1, data);
        calls[7] = abi.encodeWithSignature("onMorphoFlashLoan(uint256,bytes)", 1 ether, data);
        calls[8] = abi.encodeWithSignature(
            "receiveFlashLoan(address[],uint256[],uint256[],bytes)", tokens, amounts, amounts, data
        );
        calls[9] = abi.encodeWithSignature(
            "executeOperation(address,uint256,uint256,address,bytes)", weth, 1, 0, executor, data
        );
        calls[10] = abi.encodeWithSignature("unlockCallback(bytes)", data);
        calls[11] = abi.encodeWithSignature("onMorphoLiquidate(uint256,bytes)", 1 ether, data);
        calls[12] = abi.encodeWithSignature(
            "onFlashLoan(address,address,uint256,uint256,bytes)", executor, weth, 1 ether, 0, data
        );
        calls[13] = abi.encodeWithSignature("onFlashLoan(bytes)", data);
    }

    function assertRefuses(address who, bytes memory data) internal {
        vm.prank(who);
        (bool success, bytes memory answer) = executor.call(data);
        assertFalse(success);
        assertEq(answer, unauthorized(who));
    }

    /// @dev Views may answer; nothing else may.
    function assertRefusesCall(address who, bytes memory data) internal {
        bytes4 selector = bytes4(data);
        bool view_ = selector == IExecutor.owner.selector || selector == IExecutor.WETH.selector
            || selector == IExecutor.isOperator.selector;
        if (!view_) assertRefuses(who, data);
    }

    function makeOperator(address who) internal {
        vm.prank(owner);
        IExecutor(executor).setOperator(who, true);
    }
}
