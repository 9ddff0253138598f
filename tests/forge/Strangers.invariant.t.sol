// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "../../contracts/interfaces/IExecutor.sol";
import {Programs} from "./helpers/Programs.sol";
import {World} from "./helpers/World.sol";

/// @notice Calls the executor in every way a stranger can.
contract Stranger {
    address private immutable EXECUTOR;
    address private immutable WETH;
    uint256 public tried;
    uint256 public obeyed;

    constructor(address executor, address weth) payable {
        (EXECUTOR, WETH) = (executor, weth);
    }

    function raw(bytes calldata data, uint256 value) external {
        go(data.length == 0 ? bytes(hex"00") : data, value % 2 == 0 ? 0 : value % 1 ether);
    }

    function program(bytes calldata steps, uint8 head) external {
        go(abi.encodePacked(head & 0x3f, steps), 0);
    }

    function stealByProgram(uint96 amount) external {
        go(Programs.program(0, Programs.payTo(address(this), amount)), 0);
    }

    function v2Callback(string calldata name, uint96 amount) external {
        bytes memory nested = Programs.payTo(address(this), amount);
        string memory signature = string.concat(name, "(address,uint256,uint256,bytes)");
        go(abi.encodeWithSignature(signature, EXECUTOR, amount, 0, nested), 0);
    }

    function v3Callback(int256 delta0, int256 delta1, uint96 amount) external {
        bytes memory nested = Programs.payTo(WETH, address(this), amount);
        go(abi.encodeWithSignature("uniswapV3SwapCallback(int256,int256,bytes)", delta0, delta1, nested), 0);
    }

    function loanCallback(uint256 assets, bytes calldata data) external {
        go(abi.encodeWithSignature("onMorphoFlashLoan(uint256,bytes)", assets, data), 0);
    }

    function administer(address operator, uint256 amount) external {
        go(abi.encodeCall(IExecutor.setOperator, (operator, true)), 0);
        go(abi.encodeCall(IExecutor.withdrawToken, (WETH, amount)), 0);
        go(abi.encodeCall(IExecutor.withdrawEth, (amount)), 0);
    }

    function go(bytes memory data, uint256 value) private {
        ++tried;
        bytes4 selector = bytes4(data);
        if (selector == IExecutor.isOperator.selector) return;
        (bool success, bytes memory answer) = EXECUTOR.call{value: value}(data);
        if (success && answer.length == 0) ++obeyed;
    }
}

/// @notice No sequence of a stranger's calls does anything.
contract StrangersInvariant is World {
    uint256 private constant HELD = 100 ether;
    Stranger private outsider;

    function setUp() public override {
        super.setUp();
        weth.transfer(executor, HELD);
        a.mint(executor, HELD);
        vm.deal(executor, HELD);
        outsider = new Stranger{value: 100 ether}(executor, address(weth));
        targetContract(address(outsider));
    }

    function invariant_nothingMoves() public view {
        assertEq(held(address(weth)), HELD);
        assertEq(held(address(a)), HELD);
        assertEq(executor.balance, HELD);
        assertEq(outsider.obeyed(), 0);
        assertFalse(IExecutor(executor).isOperator(address(outsider)));
    }
}
