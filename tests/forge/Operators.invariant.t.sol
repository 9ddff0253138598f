// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IExecutor} from "../../contracts/interfaces/IExecutor.sol";
import {Program} from "../../contracts/libraries/Program.sol";
import {Chaos} from "./helpers/Chaos.sol";
import {Market} from "./helpers/Market.sol";
import {Programs} from "./helpers/Programs.sol";
import {Villain} from "./helpers/Villain.sol";

/// @notice A malicious operator, who is also every pool and lender that it cares to be, one that the book was wrong to
/// list among them, and the block's builder: whatever it does, the executor never has less of anything.
contract OperatorsInvariant is Market, Chaos {
    Villain private villain;
    IERC20[] private tokens;

    function setUp() public override {
        super.setUp();
        tokens = [IERC20(address(weth)), a, sides[0].token, sides[1].token];
        villain = new Villain{value: 100 ether}(executor, tokens);
        makeOperator(address(villain));
        vm.etch(entries[EVIL], ""); // and what is listed there is the villain
        replaceEntry(EVIL, address(villain));
        for (uint256 i = 0; i < tokens.length; ++i) {
            tokens[i].transfer(address(villain), 1000 * HELD);
        }
        vm.coinbase(payable(address(villain)));
        spendable = [address(weth), address(a), address(sides[0].token), address(sides[1].token)];
        entriesInBook = ENTRIES;
        for (uint256 i = 0; i < entries.length; ++i) {
            accounts.push(entries[i]);
        }
        (favouritePool, favouritePayee) = (address(villain), executor);
        accounts.push(stranger);
        accounts.push(executor);
        targetContract(address(this));
        bytes4[] memory selectors = new bytes4[](5);
        selectors[0] = this.noise.selector;
        selectors[1] = this.aRoute.selector;
        selectors[2] = this.aProgram.selector;
        selectors[3] = this.goodThenBad.selector;
        selectors[4] = this.administration.selector;
        targetSelector(FuzzSelector(address(this), selectors));
    }

    /// @dev Another address in the book behind the code.
    function replaceEntry(uint16 index, address by) private {
        bytes memory code = executor.code;
        bytes20 packed = bytes20(by);
        uint256 at = code.length - 23 * (uint256(ENTRIES) - index);
        for (uint256 i = 0; i < 20; ++i) {
            code[at + i] = packed[i];
        }
        vm.etch(executor, code);
        entries[index] = by;
        Programs.book()[by] = index + 1;
    }

    /// @dev Does it, with dice and other programs prepared for when the villain is called.
    function go(uint256 seed, bytes memory program_) private {
        bytes[] memory others = new bytes[](3);
        others[0] = program();
        others[1] = route();
        others[2] = Programs.program(0, Programs.payTo(address(villain), HELD));
        villain.prepare(seed, others);
        villain.trade(program_);
    }

    function noise(uint256 seed, uint8 head, bytes calldata rest) external {
        roll(seed);
        go(seed, abi.encodePacked(head & 0x3f, rest));
    }

    function aRoute(uint256 seed) external {
        roll(seed);
        go(seed, route());
    }

    function aProgram(uint256 seed) external {
        roll(seed);
        go(seed, program());
    }

    /// @dev Steps that gain, so that there is something to lose, before those that would take.
    function goodThenBad(uint256 seed) external {
        roll(seed);
        bytes memory made = abi.encodePacked(
            uint8(Program.TERMS),
            uint8(Program.BID | 2),
            uint16(next(10_001)),
            Programs.account(address(weth)),
            Programs.account(address(a)),
            steps(2)
        );
        go(seed, made);
    }

    function administration(uint256 seed, address who, uint256 amount_) external {
        roll(seed);
        go(seed, abi.encodeCall(IExecutor.setOperator, (who, true)));
        go(seed, abi.encodeCall(IExecutor.withdrawToken, (address(weth), amount_)));
        go(seed, abi.encodeCall(IExecutor.withdrawEth, (amount_)));
    }

    function invariant_neverLess() public view {
        for (uint256 i = 0; i < tokens.length; ++i) {
            assertGe(tokens[i].balanceOf(executor), HELD);
            assertEq(tokens[i].allowance(executor, address(villain)), 0);
        }
        assertGe(executor.balance, HELD);
        assertFalse(IExecutor(executor).isOperator(stranger));
    }
}
