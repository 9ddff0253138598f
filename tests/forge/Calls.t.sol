// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAaveV3Pool} from "../../contracts/interfaces/IAaveV3Pool.sol";
import {IBalancerV2Vault} from "../../contracts/interfaces/IBalancerV2Vault.sol";
import {IERC3156Lender} from "../../contracts/interfaces/IERC3156Lender.sol";
import {IMorpho} from "../../contracts/interfaces/IMorpho.sol";
import {IUniswapV2Pair} from "../../contracts/interfaces/IUniswapV2Pair.sol";
import {IUniswapV3Pool} from "../../contracts/interfaces/IUniswapV3Pool.sol";
import {IUniswapV4Manager} from "../../contracts/interfaces/IUniswapV4Manager.sol";
import {Program} from "../../contracts/libraries/Program.sol";
import {NamedPool} from "./helpers/Evil.sol";
import {AnyVenue} from "./helpers/Lenders.sol";
import {Programs} from "./helpers/Programs.sol";
import {Stage} from "./helpers/Stage.sol";
import {Steps} from "./helpers/Steps.sol";

/// @notice What is called, byte for byte: the interfaces' encodings are what the assembly must build.
contract CallsTest is Stage {
    uint160 private constant LOWEST = 4_295_128_740;
    uint160 private constant HIGHEST = 1_461_446_703_485_210_103_287_273_052_203_988_822_378_723_970_341;
    uint256 private constant AMOUNT = 0x0102030405060708090a0b0c;

    /// @dev The evil one is called so, and then calls back by the name of that number in `callbacks`. What the program
    /// is padded with is left out.
    function calls(bytes memory step, uint256 callback, bytes memory nested, bytes memory expected) private {
        evil.reset();
        evil.add(address(0), callbacks(nested)[callback], 0);
        trade(Programs.program(0, step));
        assertTrue(evil.succeeded(0));
        evil.reset();
        isCalled(expected, (32 - nested.length % 32) % 32);
    }

    function isCalled(bytes memory expected, uint256 padding) private view {
        bytes memory called = evil.called();
        assertGe(called.length, expected.length - padding);
        assembly {
            mstore(called, sub(mload(expected), padding))
            mstore(expected, sub(mload(expected), padding))
        }
        assertEq(called, expected);
    }

    /// @dev Memory is never clean: steps that fill it go before.
    function dirty(bytes memory step) private view returns (bytes memory) {
        bytes memory before = abi.encodePacked(
            Programs.payTo(address(type(uint160).max), 0),
            Steps.curve(executorsFriend(), 2, 0xff, address(0), AMOUNT, AMOUNT)
        );
        return abi.encodePacked(before, step);
    }

    /// @dev Where every call succeeds.
    function executorsFriend() private pure returns (address) {
        return address(type(uint160).max);
    }

    function test_v2() public {
        bytes memory nested = nothing();
        address to = address(evil);
        for (uint256 i = 0; i < 4; ++i) {
            bool zeroForOne = i % 2 == 0;
            (uint256 out0, uint256 out1) = zeroForOne ? (uint256(0), AMOUNT) : (AMOUNT, uint256(0));
            bytes memory flash = Programs.flash(to, zeroForOne, AMOUNT, nested);
            calls(
                i < 2 ? flash : dirty(flash),
                0,
                nested,
                abi.encodeCall(IUniswapV2Pair.swap, (out0, out1, executor, nested))
            );
            bytes memory chain = Programs.chain(Programs.Hop(to, zeroForOne, AMOUNT), i < 2);
            vm.expectCall(to, abi.encodeCall(IUniswapV2Pair.swap, (out0, out1, i < 2 ? owner : executor, "")));
            trade(Programs.program(0, i < 2 ? chain : dirty(chain)));
            Programs.Hop memory x = Programs.Hop(to, zeroForOne, AMOUNT);
            vm.expectCall(to, abi.encodeCall(IUniswapV2Pair.swap, (out0, out1, executorsFriend(), "")));
            trade(Programs.program(0, Programs.chain(x, Programs.Hop(executorsFriend(), true, 1), false)));
        }
    }

    function test_v3Swap() public {
        address to = address(evil);
        bytes memory chain = Programs.chain(Programs.Hop(stranger, true, 1), false);
        address[4] memory recipients = [executor, owner, stranger, operator];
        for (uint256 i = 0; i < 16; ++i) {
            bool zeroForOne = i % 2 == 0;
            uint256 recipient = 8 * (i / 2 % 4);
            bytes memory swap = Programs.v3(to, zeroForOne, AMOUNT, recipient, chain);
            bytes memory step = abi.encodePacked(swap, Programs.chain(Programs.Hop(operator, true, 1), false));
            bytes memory data = abi.encodeCall(
                IUniswapV3Pool.swap,
                (recipients[recipient / 8], zeroForOne, int256(AMOUNT), zeroForOne ? LOWEST : HIGHEST, chain)
            );
            calls(i < 8 ? step : dirty(step), 3, chain, data);
        }
    }

    function test_v3Flash() public {
        for (uint256 i = 0; i < 8; ++i) {
            bool token1 = i % 2 == 0;
            address to = i % 4 < 2 ? address(0) : stranger;
            (uint256 out0, uint256 out1) = token1 ? (uint256(0), AMOUNT) : (AMOUNT, uint256(0));
            bytes memory step = Steps.flashV3(address(evil), token1, to, AMOUNT, nothing());
            address recipient = to == address(0) ? executor : stranger;
            bytes memory data = abi.encodeCall(IUniswapV3Pool.flash, (recipient, out0, out1, nothing()));
            calls(i < 4 ? step : dirty(step), 6, nothing(), data);
        }
    }

    function test_loans() public {
        bytes memory nested = nothing();
        address to = address(evil);
        address[] memory tokens = new address[](1);
        uint256[] memory amounts = new uint256[](1);
        (tokens[0], amounts[0]) = (address(weth), 7);
        bytes[4] memory expected = [
            abi.encodeCall(IMorpho.flashLoan, (address(weth), 7, nested)),
            abi.encodeCall(IBalancerV2Vault.flashLoan, (executor, tokens, amounts, nested)),
            abi.encodeCall(IAaveV3Pool.flashLoanSimple, (executor, address(weth), 7, nested, 0)),
            abi.encodeCall(IERC3156Lender.flashLoan, (executor, address(weth), 7, nested))
        ];
        uint256[4] memory kinds = [Program.MORPHO, Program.BALANCER_V2, Program.AAVE_V3, Program.ERC3156];
        for (uint256 i = 0; i < 4; ++i) {
            bytes memory step = Steps.loan(kinds[i], to, address(0), 7, 9, nested);
            uint256 callback = i == 3 ? 12 : 7 + i;
            calls(step, callback, nested, expected[i]);
            calls(dirty(step), callback, nested, expected[i]);
        }
    }

    function test_liquidations() public {
        address to = address(evil);
        bytes memory aave = Steps.liquidateAave(to, address(0), address(a), stranger, AMOUNT);
        vm.expectCall(
            to,
            abi.encodeCall(IAaveV3Pool.liquidationCall, (address(a), address(weth), stranger, AMOUNT, false))
        );
        trade(Programs.program(0, aave));
        Steps.Market memory market =
            Steps.Market(to, address(0), address(a), operator, builder, 0x0102030405060708);
        IMorpho.MarketParams memory params =
            IMorpho.MarketParams(address(weth), address(a), operator, builder, 0x0102030405060708);
        bytes memory morpho = Steps.liquidateMorpho(market, stranger, AMOUNT, 5, 9, nothing());
        bytes memory expected = abi.encodeCall(IMorpho.liquidate, (params, stranger, AMOUNT, 5, nothing()));
        calls(morpho, 11, nothing(), expected);
        calls(dirty(morpho), 11, nothing(), expected);
    }

    /// @dev At the top of a program the caller is the owner, whom v4's steps take for the manager.
    function test_v4() public {
        bytes memory nested = nothing();
        bytes memory expected = abi.encodeCall(IUniswapV4Manager.unlock, (nested));
        calls(Steps.unlock(address(evil), nested), 10, nested, expected);
        calls(dirty(Steps.unlock(address(evil), nested)), 10, nested, expected);
        for (uint256 i = 0; i < 2; ++i) {
            IUniswapV4Manager.PoolKey memory key =
                IUniswapV4Manager.PoolKey(address(a), address(b), 0x010203, int24(0x040506), stranger);
            IUniswapV4Manager.SwapParams memory swap =
                IUniswapV4Manager.SwapParams(i == 0, -int256(AMOUNT), i == 0 ? LOWEST : HIGHEST);
            bytes memory fields = abi.encodePacked(
                Programs.account(address(a)), Programs.account(address(b)), uint24(0x010203), uint24(0x040506)
            );
            uint8 head = uint8(Program.V4_SWAP | (i == 0 ? 1 : 0));
            vm.expectCall(owner, abi.encodeCall(IUniswapV4Manager.swap, (key, swap, "")));
            trade(
                Programs.program(
                    0, abi.encodePacked(head, fields, Programs.account(stranger), uint96(AMOUNT))
                )
            );
        }
        takesAndSettles();
    }

    function takesAndSettles() private {
        bytes[2] memory takes = [Steps.take(address(a), stranger, AMOUNT), Steps.take(address(0), AMOUNT)];
        vm.expectCall(owner, abi.encodeCall(IUniswapV4Manager.take, (address(a), stranger, AMOUNT)), 2);
        vm.expectCall(owner, abi.encodeCall(IUniswapV4Manager.take, (address(weth), executor, AMOUNT)));
        trade(Programs.program(0, takes[0]));
        trade(Programs.program(0, takes[1]));
        bytes memory wide = abi.encodePacked(
            uint8(Program.V4_TAKE | Program.TOKEN | Program.TO | Program.WIDE),
            Programs.account(address(a)),
            Programs.account(stranger),
            uint128(AMOUNT)
        );
        trade(Programs.program(0, wide));
        vm.expectCall(owner, abi.encodeCall(IUniswapV4Manager.sync, (address(a))));
        trade(Programs.program(0, Steps.sync(address(a))));
        vm.expectCall(owner, 3, abi.encodeCall(IUniswapV4Manager.settle, ()));
        AnyVenue giver = new AnyVenue(); // of what goes away
        weth.transfer(address(giver), 3);
        giver.set(address(0), address(weth), 3, 0);
        bytes memory given = Steps.curve(address(giver), 2, 0, address(0), 0, 0);
        bytes memory settle = abi.encodePacked(Steps.unwrap(4), Steps.settle(address(0), 3), Steps.wrap(1));
        trade(Programs.program(0, abi.encodePacked(settle, given)));
    }

    function test_v4SettlesWhatWasPaid() public {
        vm.expectCall(owner, 0, abi.encodeCall(IUniswapV4Manager.settle, ()));
        trade(Programs.program(0, Steps.settlePaid()));
    }

    /// @dev A flag that a step has not is passed over: the byte below a step's is the last one of the step before.
    function test_flagsThatAStepHasNot() public {
        vm.expectCall(owner, 0, abi.encodeCall(IUniswapV4Manager.settle, ()));
        trade(Programs.program(0, hex"cf"));
        address pool = address(new NamedPool("uniswapV3SwapCallback(int256,int256,bytes)"));
        bytes memory fields = abi.encodePacked(Programs.account(pool), uint128(1), uint16(0));
        trade(Programs.program(0, abi.encodePacked(uint8(0x5f), fields)));
    }
}
