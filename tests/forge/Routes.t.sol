// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "../../contracts/interfaces/IExecutor.sol";
import {Market} from "./helpers/Market.sol";
import {IV2Pair} from "./helpers/Protocols.sol";
import {Routes} from "./helpers/Routes.sol";

/// @notice Every form of a route, on both sides of WETH, gains what the pools give, to the
/// wei, and leaves all else as it was.
contract RoutesTest is Market {
    function gains(bytes memory route, uint256 gain) private {
        uint256 snapshot = vm.snapshotState();
        trade(route);
        assertEq(held(address(weth)), HELD + gain, "gain");
        assertTokensKept();
        vm.revertToState(snapshot);
    }

    function test_own() public {
        for (uint256 i = 0; i < 2; ++i) {
            (Routes.Pair memory x, Routes.Pair memory y) = cycle(sides[i], IN);
            gains(Routes.own(IN, Routes.pairsOf(x, y)), y.out - IN);
        }
    }

    function test_ownOfThree() public {
        for (uint256 i = 0; i < 2; ++i) {
            Routes.Pair[3] memory hops = cycle3(i, IN);
            gains(Routes.own(IN, three(hops)), hops[2].out - IN);
        }
    }

    function three(Routes.Pair[3] memory hops) private pure returns (bytes memory) {
        return abi.encodePacked(Routes.pairsOf(hops[0], hops[1]), Routes.pairsOf(hops[2]));
    }

    function test_lastOfV2() public {
        for (uint256 i = 0; i < 2; ++i) {
            (Routes.Pair memory x, Routes.Pair memory y) = cycle(sides[i], IN);
            gains(Routes.last(y.index, y.out, IN, Routes.pairsOf(x)), y.out - IN);
            Routes.Pair[3] memory hops = cycle3(i, IN);
            bytes memory two = Routes.pairsOf(hops[0], hops[1]);
            gains(Routes.last(hops[2].index, hops[2].out, IN, two), hops[2].out - IN);
        }
    }

    function test_lastOfV3() public {
        for (uint256 i = 0; i < 2; ++i) {
            Side memory side = sides[i];
            Routes.Pair memory x = pairOf(side.cheap, address(weth), IN);
            (, uint256 out) = v3Quote(entries[side.pool], address(side.token), x.out);
            gains(Routes.last(side.pool, out, IN, Routes.pairsOf(x)), out - IN);
            bytes memory more = Routes.last(side.pool, out + 1, IN, Routes.pairsOf(x));
            refused(more, belowPromise(out, out + 1));
        }
    }

    function test_firstOfV3() public {
        for (uint256 i = 0; i < 2; ++i) {
            Side memory side = sides[i];
            (, uint256 out) = v3Quote(entries[side.pool], address(weth), IN);
            Routes.Pair memory y = pairOf(side.dear, address(side.token), out);
            gains(Routes.first(side.pool, IN, Routes.pairsOf(y)), y.out - IN);
            Routes.Pair memory m = pairOf(MIDDLE, address(side.token), out);
            Side memory other = sides[1 - i];
            Routes.Pair memory z = pairOf(other.dear, address(other.token), m.out);
            gains(Routes.first(side.pool, IN, Routes.pairsOf(m, z)), z.out - IN);
        }
    }

    function test_firstOfV2() public {
        for (uint256 i = 0; i < 2; ++i) {
            (Routes.Pair memory x, Routes.Pair memory y) = cycle(sides[i], IN);
            gains(Routes.loan(x.index, x.out, IN, Routes.pairsOf(y)), y.out - IN);
            Routes.Pair[3] memory hops = cycle3(i, IN);
            bytes memory two = Routes.pairsOf(hops[1], hops[2]);
            gains(Routes.loan(hops[0].index, hops[0].out, IN, two), hops[2].out - IN);
        }
    }

    /// @dev What each lender of the book asks for a loan of `amount`.
    function owedTo(uint16 lender, uint256 amount) private view returns (uint256) {
        if (lender == LENDERS + 2) return amount + aave.premium();
        if (lender < LENDERS + 4) return amount;
        if (lender < LENDERS + 6) return amount * 1000 / 997 + 1;
        return amount + (amount * 500 + 999_999) / 1_000_000;
    }

    function test_lenders() public {
        aave.setPremium(IN / 2000);
        for (uint256 i = 0; i < 2; ++i) {
            (Routes.Pair memory x, Routes.Pair memory y) = cycle(sides[i], IN);
            for (uint16 lender = LENDERS; lender < LENDERS + 8; ++lender) {
                uint256 owed = owedTo(lender, IN);
                gains(Routes.loan(lender, owed, IN, Routes.pairsOf(x, y)), y.out - owed);
                Routes.Pair[3] memory hops = cycle3(i, IN);
                gains(Routes.loan(lender, owed, IN, three(hops)), hops[2].out - owed);
            }
        }
    }

    /// @dev No lender is paid less than it asks, or leaves an allowance behind: what Aave is allowed to pull it must.
    function test_lendersAskForAll() public {
        aave.setPremium(IN / 2000);
        (Routes.Pair memory x, Routes.Pair memory y) = cycle(sides[0], IN);
        bytes memory pairs = Routes.pairsOf(x, y);
        for (uint16 lender = LENDERS; lender < LENDERS + 8; ++lender) {
            uint256 owed = owedTo(lender, IN);
            stopped(Routes.loan(lender, owed - 1, IN, pairs));
            stopped(Routes.loan(lender, 0, IN, pairs));
            uint256 snapshot = vm.snapshotState();
            bytes memory more = Routes.loan(lender, owed + 1, IN, pairs);
            bool exact = lender == LENDERS + 2 || lender == LENDERS + 3; // Aave; and v4, whose accounts are even
            if (exact) stopped(more);
            else trade(more);
            assertTokensKept();
            assertEq(allowanceOf(address(weth), entries[lender]), 0);
            vm.revertToState(snapshot);
        }
    }

    /// @dev A route with nothing but WETH borrowed: the executor needs none.
    function test_borrowedRoutesNeedNoWeth() public {
        vm.prank(executor);
        weth.transfer(stranger, HELD);
        (Routes.Pair memory x, Routes.Pair memory y) = cycle(sides[1], IN);
        trade(Routes.last(y.index, y.out, IN, Routes.pairsOf(x)));
        assertEq(held(address(weth)), y.out - IN);
    }

    // --- terms -------------------------------------------------------------------------------------------------------

    function onTerms(bytes memory route, uint256 deadline, uint16 bid) private pure returns (bytes memory) {
        bytes memory rest = new bytes(route.length - 1);
        for (uint256 i = 0; i < rest.length; ++i) {
            rest[i] = route[i + 1];
        }
        return abi.encodePacked(uint8(route[0]) | 0x10, uint32(deadline), bid, rest);
    }

    /// @dev The builder gets its share of the gain, rounded down, and the executor all the rest.
    function test_bids(uint16 share, uint256 which) public {
        share = uint16(bound(share, 0, 10_000));
        bytes[7] memory routes;
        uint256[7] memory gain;
        (routes, gain) = gainful();
        which = bound(which, 0, routes.length - 1);
        trade(onTerms(routes[which], block.number, share));
        uint256 bid = gain[which] * share / 10_000;
        assertEq(builder.balance, bid);
        assertEq(held(address(weth)), HELD + gain[which] - bid);
        assertTokensKept();
    }

    function gainful() private returns (bytes[7] memory routes, uint256[7] memory gain) {
        Side memory side = sides[0];
        (Routes.Pair memory x, Routes.Pair memory y) = cycle(side, IN);
        (, uint256 out) = v3Quote(entries[side.pool], address(side.token), x.out);
        (, uint256 given) = v3Quote(entries[side.pool], address(weth), IN);
        Routes.Pair memory z = pairOf(side.dear, address(side.token), given);
        routes[0] = Routes.own(IN, Routes.pairsOf(x, y));
        routes[1] = Routes.last(y.index, y.out, IN, Routes.pairsOf(x));
        routes[2] = Routes.last(side.pool, out - 5, IN, Routes.pairsOf(x));
        routes[3] = Routes.first(side.pool, IN, Routes.pairsOf(z));
        routes[4] = Routes.loan(x.index, x.out, IN, Routes.pairsOf(y));
        routes[5] = Routes.loan(LENDERS, IN, IN, Routes.pairsOf(x, y));
        routes[6] = Routes.loan(LENDERS + 3, IN, IN, Routes.pairsOf(x, y));
        gain = [y.out - IN, y.out - IN, out - IN, z.out - IN, y.out - IN, y.out - IN, y.out - IN];
    }

    function test_bidAboveAll(uint16 share) public {
        share = uint16(bound(share, 10_001, type(uint16).max));
        (bytes[7] memory routes,) = gainful();
        for (uint256 i = 0; i < routes.length; ++i) {
            refused(
                onTerms(routes[i], block.number, share),
                abi.encodeWithSelector(IExecutor.BidAboveGain.selector, uint256(share))
            );
        }
    }

    function test_deadline(uint32 late) public {
        vm.roll(bound(late, 1, type(uint32).max));
        (bytes[7] memory routes,) = gainful();
        for (uint256 i = 0; i < routes.length; ++i) {
            refused(
                onTerms(routes[i], block.number - 1, 100),
                abi.encodeWithSelector(IExecutor.Expired.selector, block.number - 1)
            );
        }
        trade(onTerms(routes[0], block.number, 100));
    }

    function test_breaksEven() public {
        (Routes.Pair memory x, Routes.Pair memory y) = cycle(sides[0], IN);
        y.out = IN;
        gains(Routes.own(IN, Routes.pairsOf(x, y)), 0);
        gains(onTerms(Routes.own(IN, Routes.pairsOf(x, y)), block.number, 10_000), 0);
        gains(Routes.last(y.index, IN, IN, Routes.pairsOf(x)), 0);
        gains(Routes.loan(x.index, x.out, IN, Routes.pairsOf(y)), 0);
    }

    function test_operatorTrades() public {
        (bytes[7] memory routes, uint256[7] memory gain) = gainful();
        tradeAs(operator, routes[1]);
        assertEq(held(address(weth)), HELD + gain[1]);
        tradeAs(operator, onTerms(Routes.own(0, empty()), block.number, 0));
    }

    /// @dev A pair that holds more than its reserves gives some for nothing.
    function empty() private returns (bytes memory) {
        weth.transfer(entries[sides[0].dear], 1 ether);
        address dear = entries[sides[0].dear];
        bool first = IV2Pair(dear).token0() == address(weth);
        return Routes.pairsOf(Routes.Pair(sides[0].dear, !first, 0.9 ether));
    }

    function belowPromise(uint256 got, uint256 least) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IExecutor.BelowPromise.selector, got, least);
    }
}
