// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Program} from "../../contracts/libraries/Program.sol";
import {DevTether} from "../../contracts/devnet/DevTether.sol";
import {AnyVenue} from "./helpers/Lenders.sol";
import {Market} from "./helpers/Market.sol";
import {Programs} from "./helpers/Programs.sol";
import {IV2Pair} from "./helpers/Protocols.sol";
import {Routes} from "./helpers/Routes.sol";
import {Steps} from "./helpers/Steps.sol";
import {PlainToken} from "./helpers/Tokens.sol";

/// @notice The steps that borrow, from the real lenders where there are any: what comes home is what the pools give less
/// what the lender asks, and nobody may pull anything afterwards.
contract LoansTest is Market {
    uint256 private constant PREMIUM = IN / 2000;

    PlainToken private token;

    function setUp() public override {
        super.setUp();
        token = sides[0].token;
        aave.setPremium(PREMIUM);
        for (uint16 i = 0; i < 4; ++i) {
            token.transfer(entries[LENDERS + i], DEPTH);
        }
    }

    /// @dev The cycle of two pairs, as steps that spend WETH.
    function cycleSteps(uint256 which) private view returns (bytes memory steps, uint256 out) {
        (Routes.Pair memory x, Routes.Pair memory y) = cycle(sides[which], IN);
        steps = Programs.payChain(IN, hop(x), hop(y), false);
        return (steps, y.out);
    }

    function hop(Routes.Pair memory x) private view returns (Programs.Hop memory) {
        return Programs.Hop(entries[x.index], x.zeroForOne, x.out);
    }

    function gains(bytes memory steps, uint256 gain) private {
        uint256 snapshot = vm.snapshotState();
        vm.expectRevert();
        this.tradeOutside(Programs.program(gain + 1, steps));
        trade(Programs.program(gain, steps));
        assertEq(held(address(weth)), HELD + gain);
        assertTokensKept();
        for (uint16 i = 0; i < 4; ++i) {
            assertEq(allowanceOf(address(weth), entries[LENDERS + i]), 0);
        }
        vm.revertToState(snapshot);
    }

    function test_morpho() public {
        (bytes memory steps, uint256 out) = cycleSteps(0);
        gains(Steps.loan(Program.MORPHO, morpho, address(0), IN, 0, steps), out - IN);
    }

    function test_balancer() public {
        (bytes memory steps, uint256 out) = cycleSteps(1);
        bytes memory nested = abi.encodePacked(steps, Programs.pay(IN));
        gains(Steps.loan(Program.BALANCER_V2, vault, address(0), IN, 0, nested), out - IN);
    }

    function test_aave() public {
        (bytes memory steps, uint256 out) = cycleSteps(0);
        uint256 owed = IN + PREMIUM;
        gains(Steps.loan(Program.AAVE_V3, address(aave), address(0), IN, owed, steps), out - owed);
        gains(Steps.loan(Program.AAVE_V3, address(aave), address(0), IN, owed + 7, steps), out - owed);
        stopped(
            Programs.program(0, Steps.loan(Program.AAVE_V3, address(aave), address(0), IN, owed - 1, steps))
        );
    }

    function test_erc3156() public {
        (bytes memory steps, uint256 out) = cycleSteps(1);
        uint256 owed = IN + PREMIUM;
        gains(Steps.loan(Program.ERC3156, address(aave), address(0), IN, owed, steps), out - owed);
        gains(Steps.loan(Program.ERC3156, address(aave), address(0), IN, owed + 7, steps), out - owed);
        stopped(
            Programs.program(0, Steps.loan(Program.ERC3156, address(aave), address(0), IN, owed - 1, steps))
        );
    }

    function test_v3Flash() public {
        for (uint16 i = 0; i < 2; ++i) {
            (bytes memory steps, uint256 out) = cycleSteps(1 - i);
            address pool = entries[LENDERS + 6 + i];
            uint256 owed = IN + (IN * 500 + 999_999) / 1_000_000;
            bytes memory nested = abi.encodePacked(steps, Programs.pay(owed));
            gains(Steps.flashV3(pool, i == 1, address(0), IN, nested), out - owed);
        }
    }

    /// @dev A pool calls the sender back, whomever it sends to: here straight to the first pair.
    function test_v3FlashToThePair() public {
        (Routes.Pair memory x, Routes.Pair memory y) = cycle(sides[0], IN);
        uint256 owed = IN + (IN * 500 + 999_999) / 1_000_000;
        bytes memory nested = abi.encodePacked(Programs.chain(hop(x), hop(y), false), Programs.pay(owed));
        gains(Steps.flashV3(entries[LENDERS + 6], false, entries[x.index], IN, nested), y.out - owed);
    }

    function test_v4() public {
        (bytes memory steps, uint256 out) = cycleSteps(0);
        bytes memory nested = abi.encodePacked(Steps.take(address(0), IN), steps, Steps.settle(IN));
        gains(Steps.unlock(manager, nested), out - IN);
        (Routes.Pair memory x, Routes.Pair memory y) = cycle(sides[0], IN);
        nested = abi.encodePacked(
            Steps.take(entries[x.index], IN), Programs.chain(hop(x), hop(y), false), Steps.sync(address(weth))
        );
        nested = abi.encodePacked(nested, Programs.pay(IN), Steps.settlePaid());
        gains(Steps.unlock(manager, nested), out - IN);
    }

    /// @dev The pair sends before it is paid; memory is not clean, since other steps went before.
    function test_v2FlashBehindOtherSteps() public {
        for (uint256 i = 0; i < 2; ++i) {
            (Routes.Pair memory x, Routes.Pair memory y) = cycle(sides[i], IN);
            bytes memory nested = Programs.payChain(IN, hop(x), true);
            bytes memory flash = Programs.flash(entries[y.index], y.zeroForOne, y.out, nested);
            bytes memory before =
                abi.encodePacked(Steps.unwrap(3), Steps.wrap(3), Programs.payTo(executor, 5));
            gains(flash, y.out - IN);
            gains(abi.encodePacked(before, flash), y.out - IN);
            bytes memory loan = abi.encodePacked(before, flash);
            gains(Steps.loan(Program.MORPHO, morpho, address(0), IN, 0, loan), y.out - IN);
        }
    }

    /// @dev Loans of another token, which is declared, as one is repaid out of what there is of it.
    function test_ofAToken() public {
        address t = address(token);
        bytes memory back = Programs.pay(t, IN);
        bytes[5] memory steps = [
            Steps.loan(Program.MORPHO, morpho, t, IN, 0, nothing()),
            Steps.loan(Program.BALANCER_V2, vault, t, IN, 0, back),
            Steps.loan(Program.AAVE_V3, address(aave), t, IN, IN, nothing()),
            Steps.loan(Program.ERC3156, address(aave), t, IN, IN, nothing()),
            Steps.unlock(manager, abi.encodePacked(Steps.take(t, address(0), IN), Steps.settle(t, IN)))
        ];
        aave.setPremium(0);
        for (uint256 i = 0; i < steps.length; ++i) {
            trade(Programs.program(0, t, steps[i]));
            assertUntouched();
            assertTokensKept();
            for (uint16 j = 0; j < 4; ++j) {
                assertEq(allowanceOf(t, entries[LENDERS + j]), 0);
            }
        }
    }

    /// @dev The premium is paid out of the token that there is: then there is less of it.
    function test_premiumOfATokenIsMissed() public {
        address t = address(token);
        uint256[2] memory kinds = [Program.AAVE_V3, Program.ERC3156];
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory loan = Steps.loan(kinds[i], address(aave), t, IN, IN + PREMIUM, nothing());
            refused(Programs.program(0, t, loan), below(t, HELD - PREMIUM));
        }
    }

    /// @dev A flash of a pair in the other direction, of WIDE amounts, nested in a loan.
    function test_wide() public {
        (Routes.Pair memory x, Routes.Pair memory y) = cycle(sides[0], IN);
        bytes memory chain =
            abi.encodePacked(uint8(Program.V2_PAY | Program.WIDE | 1), uint128(IN), wideHop(x), wideHop(y));
        gains(chain, y.out - IN);
        bytes memory nested = abi.encodePacked(
            uint8(Program.V2_PAY | Program.V2_TO_CALLER | Program.WIDE), uint128(IN), wideHop(x)
        );
        bytes memory flash = abi.encodePacked(
            uint8(Program.V2_FLASH | Program.WIDE | (y.zeroForOne ? 1 : 0)),
            Programs.account(entries[y.index])
        );
        gains(abi.encodePacked(flash, uint128(y.out), uint16(nested.length), nested), y.out - IN);
        bytes memory loan =
            abi.encodePacked(uint8(Program.ERC3156 | Program.WIDE), Programs.account(address(aave)));
        loan = abi.encodePacked(loan, uint128(IN), uint128(IN + PREMIUM), uint16(chain.length), chain);
        gains(loan, y.out - IN - PREMIUM);
        gains(abi.encodePacked(chain, uint8(Program.TIP | Program.WIDE), uint128(9)), y.out - IN - 9);
    }

    function wideHop(Routes.Pair memory x) private view returns (bytes memory) {
        return
            abi.encodePacked(
                Programs.account(entries[x.index]), uint128(x.out | (x.zeroForOne ? 1 << 127 : 0))
            );
    }

    /// @dev Steps behind a nested program run after it, each where it begins.
    function test_stepsBehindNestedOnes() public {
        (bytes memory steps, uint256 out) = cycleSteps(0);
        bytes memory loan = Steps.loan(Program.MORPHO, morpho, address(0), IN, 0, steps);
        gains(abi.encodePacked(nothing(), loan, Programs.tip(11), nothing()), out - IN - 11);
        bytes memory unlock = Steps.unlock(manager, Steps.sync(address(weth)));
        gains(abi.encodePacked(loan, unlock, nothing(), Programs.tip(1)), out - IN - 1);
    }

    /// @dev A pair takes its loan back with its fee: borrowed and paid in the same token.
    function test_v2FlashOfWeth() public {
        address lender = entries[LENDERS + 4];
        (bytes memory steps, uint256 out) = cycleSteps(1);
        uint256 owed = IN * 1000 / 997 + 1;
        bool second = IV2Pair(lender).token1() == address(weth);
        bytes memory nested = abi.encodePacked(steps, Programs.pay(owed));
        gains(Programs.flash(lender, second, IN, nested), out - owed);
    }

    /// @dev A step in a loan, with the same spender: what it is allowed comes on top, and is taken back, whether it was
    /// pulled or not. With WETH, and with a token that changes no allowance but from and to zero.
    function test_sameSpenderInALoan() public {
        DevTether tether = new DevTether("T", "T", 18, address(this));
        tether.mint(address(aave), DEPTH);
        tether.mint(executor, HELD);
        address[2] memory tokens = [address(weth), address(tether)];
        uint256[3] memory kinds = [Program.MORPHO, Program.AAVE_V3, Program.ERC3156];
        aave.setPremium(0);
        b.mint(address(aave), DEPTH);
        for (uint256 i = 0; i < 6; ++i) {
            address t = tokens[i % 2];
            bytes memory inner = Steps.loan(kinds[i / 2], address(aave), t, 2 ether, 3 ether, nothing());
            bytes memory venue = Steps.curve(address(new AnyVenue()), 0, 0, t, 7, 0);
            bytes memory nested = abi.encodePacked(inner, venue, inner);
            for (uint256 j = 0; j < 3; ++j) {
                bytes memory outer = Steps.loan(kinds[j], address(aave), t, 5 ether, 5 ether, nested);
                trade(Programs.program(0, t, outer));
                assertEq(allowanceOf(t, address(aave)), 0);
                assertEq(held(t), HELD);
            }
        }
    }
}
