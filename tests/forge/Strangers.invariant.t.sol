// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "../../contracts/interfaces/IExecutor.sol";
import {Programs} from "./helpers/Programs.sol";
import {Chaos} from "./helpers/Chaos.sol";
import {Market} from "./helpers/Market.sol";
import {IV2Pair, IV3Pool} from "./helpers/Protocols.sol";

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

    function loanCallback(uint256 kind, uint256 assets, uint96 amount) external {
        bytes memory data = Programs.payTo(address(this), amount);
        address[] memory tokens = new address[](1);
        uint256[] memory amounts = new uint256[](1);
        (tokens[0], amounts[0]) = (WETH, assets);
        kind %= 7;
        if (kind == 0) go(abi.encodeWithSignature("onMorphoFlashLoan(uint256,bytes)", assets, data), 0);
        if (kind == 1) go(abi.encodeWithSignature("onMorphoLiquidate(uint256,bytes)", assets, data), 0);
        if (kind == 2) go(abi.encodeWithSignature("unlockCallback(bytes)", data), 0);
        if (kind == 3) {
            go(abi.encodeWithSignature("uniswapV3FlashCallback(uint256,uint256,bytes)", 0, 0, data), 0);
        }
        bytes32 name = keccak256("executeOperation(address,uint256,uint256,address,bytes)");
        if (kind == 4) go(abi.encodeWithSelector(bytes4(name), WETH, assets, 0, EXECUTOR, data), 0);
        name = keccak256("onFlashLoan(address,address,uint256,uint256,bytes)");
        if (kind == 5) go(abi.encodeWithSelector(bytes4(name), EXECUTOR, WETH, assets, 0, data), 0);
        name = keccak256("receiveFlashLoan(address[],uint256[],uint256[],bytes)");
        if (kind == 6) go(abi.encodeWithSelector(bytes4(name), tokens, amounts, amounts, data), 0);
    }

    /// @dev Has a genuine pool call the executor, with a program to pay.
    function throughAPool(address pool, bool first, uint96 amount, uint64 out) external {
        bytes memory nested = Programs.payTo(address(this), amount);
        ++tried;
        (uint256 out0, uint256 out1) = first ? (uint256(out), uint256(0)) : (uint256(0), uint256(out));
        try IV2Pair(pool).swap(out0, out1, EXECUTOR, nested) {} catch {}
        try IV3Pool(pool).flash(EXECUTOR, out0, out1, nested) {} catch {}
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

/// @notice No sequence of a stranger's calls does anything, whatever programs they bring.
contract StrangersInvariant is Market, Chaos {
    Stranger private outsider;

    function setUp() public override {
        super.setUp();
        outsider = new Stranger{value: 100 ether}(executor, address(weth));
        accounts = entries;
        spendable = [address(weth), address(a), address(sides[0].token), address(sides[1].token)];
        (favouritePool, favouritePayee, entriesInBook) = (address(outsider), address(outsider), ENTRIES);
        targetContract(address(outsider));
        targetContract(address(this));
        bytes4[] memory selectors = new bytes4[](2);
        (selectors[0], selectors[1]) = (this.aProgram.selector, this.throughAPool.selector);
        targetSelector(FuzzSelector(address(this), selectors));
    }

    function aProgram(uint256 seed) external {
        roll(seed);
        outsider.raw(next(2) == 0 ? program() : route(), 0);
    }

    function throughAPool(uint16 entry, bool first, uint96 amount_, uint64 out) external {
        outsider.throughAPool(entries[entry % ENTRIES], first, amount_, out);
    }

    function invariant_nothingMoves() public view {
        assertKept();
        assertEq(outsider.obeyed(), 0);
        assertFalse(IExecutor(executor).isOperator(address(outsider)));
        assertTrue(IExecutor(executor).isOperator(operator));
        assertEq(IExecutor(executor).owner(), owner);
    }
}
