// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "../../contracts/interfaces/IExecutor.sol";
import {Program} from "../../contracts/libraries/Program.sol";
import {EvilPool} from "./helpers/Evil.sol";
import {Market} from "./helpers/Market.sol";
import {Programs} from "./helpers/Programs.sol";
import {Routes} from "./helpers/Routes.sol";

/// @notice Routes that would take: whatever an operator writes, the executor has no less of anything afterwards.
contract RouteAttacksTest is Market {
    function notInBook() private pure returns (bytes memory) {
        return abi.encodeWithSelector(IExecutor.NotInBook.selector);
    }

    function belowPromise(uint256 got, uint256 least) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IExecutor.BelowPromise.selector, got, least);
    }

    /// @dev Whoever sends it, and whatever comes of it, nothing is taken.
    function tryAll(bytes memory route) private {
        address[2] memory senders = [operator, owner];
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(senders[i]);
            (bool success,) = executor.call{gas: 10_000_000}(route);
            success;
            assertGe(held(address(weth)), HELD, "WETH");
            assertTokensKept();
        }
    }

    // --- who pays ----------------------------------------------------------------------------------------------------

    /// @dev A last pool that says it paid: one that is not of the book, is not genuine, or is no v2 pair of WETH.
    function test_lastPairMustBeGenuine() public {
        uint16[9] memory liars =
            [EVIL, MIDDLE, WETH_ENTRY, TOKENS, LENDERS, sides[0].pool, ENTRIES, 1000, type(uint16).max];
        for (uint256 i = 0; i < liars.length; ++i) {
            for (uint256 j = 0; j < 2; ++j) {
                Routes.Pair memory y = Routes.Pair(liars[i], j == 1, HELD);
                Routes.Pair memory x = pairOf(sides[0].cheap, address(weth), IN);
                tryAll(Routes.own(IN, Routes.pairsOf(y)));
                tryAll(Routes.own(IN, Routes.pairsOf(x, y)));
                tryAll(Routes.first(sides[0].pool, IN, Routes.pairsOf(y)));
                tryAll(Routes.loan(x.index, x.out, IN, Routes.pairsOf(y)));
                tryAll(Routes.loan(LENDERS, IN, IN, Routes.pairsOf(y)));
            }
        }
        bytes memory liar = Routes.pairsOf(Routes.Pair(EVIL, false, HELD));
        refused(Routes.own(IN, liar), notInBook());
        refused(Routes.first(sides[0].pool, IN, liar), notInBook());
        refused(Routes.loan(sides[0].cheap, IN, IN, liar), notInBook());
        refused(Routes.own(IN, Routes.pairsOf(Routes.Pair(ENTRIES, false, HELD))), notInBook());
    }

    /// @dev A genuine last pair that was told to give its other token, of which there is more.
    function test_lastPairMustGiveWeth() public {
        for (uint256 i = 0; i < 2; ++i) {
            Side memory side = sides[i];
            Routes.Pair memory x = pairOf(side.cheap, address(weth), IN);
            assertGt(x.out, IN);
            refused(Routes.own(IN, Routes.pairsOf(x)), notInBook());
            refused(Routes.loan(LENDERS, IN, IN, Routes.pairsOf(x)), notInBook());
            refused(Routes.loan(LENDERS + 3, IN, IN, Routes.pairsOf(x)), notInBook());
            // a second pair of the same token, which gives back the token that was paid
            Routes.Pair memory back = Routes.Pair(side.dear, x.zeroForOne, 1 ether);
            tryAll(Routes.loan(side.cheap, x.out, 1, Routes.pairsOf(back)));
            tryAll(Routes.first(side.pool, 1, Routes.pairsOf(back)));
        }
    }

    /// @dev Anchors: the evil one, which calls back as is due, and everything else that is no anchor.
    function test_anchorMustBeGenuine() public {
        Routes.Pair memory x = pairOf(sides[0].cheap, address(weth), IN);
        bytes memory pairs = Routes.pairsOf(x);
        bytes memory nested = abi.encodePacked(uint96(IN), pairs);
        evil.add(address(0), v3Callback(nested), 0);
        evil.add(address(0), v2Callback(nested), 0);
        refused(Routes.last(EVIL, 0, IN, pairs), notInBook());
        for (uint16 anchor = 0; anchor < ENTRIES + 3; ++anchor) {
            tryAll(Routes.last(anchor, HELD, HELD, pairs));
            tryAll(Routes.last(anchor, 0, HELD, pairs));
            tryAll(Routes.first(anchor, HELD, pairs));
            tryAll(Routes.loan(anchor, HELD, HELD, pairs));
            tryAll(Routes.loan(anchor, 0, HELD, pairs));
        }
    }

    function v2Callback(bytes memory nested) private view returns (bytes memory) {
        return abi.encodeWithSignature("uniswapV2Call(address,uint256,uint256,bytes)", executor, 1, 0, nested);
    }

    /// @dev With a genuine last pair and what it takes to satisfy the evil anchor.
    function test_evilAnchorOfALoan() public {
        (, Routes.Pair memory y) = cycle(sides[0], IN);
        bytes memory pairs = Routes.pairsOf(y);
        bytes memory loan = Routes.loan(EVIL, IN, IN, pairs);
        bytes memory nested = new bytes(loan.length - 1);
        for (uint256 i = 0; i < nested.length; ++i) {
            nested[i] = loan[i + 1];
        }
        sides[0].token.transfer(entries[sides[0].dear], 6 ether); // the pair is paid
        evil.add(address(0), v2Callback(nested), 0);
        refused(loan, notInBook());
        evil = new EvilPool(executor);
        vm.etch(entries[EVIL], address(evil).code); // one that does nothing
        refused(loan, notInBook());
        refused(Routes.first(EVIL, IN, pairs), notInBook());
        stopped(Routes.loan(MIDDLE, IN, IN, pairs));
    }

    /// @dev Lenders are those of the book, in a loan only.
    function test_lendersAreTold() public {
        (Routes.Pair memory x, Routes.Pair memory y) = cycle(sides[0], IN);
        bytes memory pairs = Routes.pairsOf(x, y);
        refused(Routes.loan(sides[0].pool, IN, IN, pairs), notInBook());
        refused(Routes.loan(sides[1].pool, IN, IN, pairs), notInBook());
        for (uint16 i = 0; i < 8; ++i) {
            tryAll(Routes.first(LENDERS + i, IN, Routes.pairsOf(y)));
            tryAll(Routes.last(LENDERS + i, IN, IN, Routes.pairsOf(x)));
            refused(Routes.loan(LENDERS + i, IN - 1, IN, pairs), belowPromise(IN - 1, IN));
        }
    }

    function test_withoutABook() public {
        executor = deployCode("Executor.sol:Executor", abi.encode(owner, weth));
        weth.transfer(executor, HELD);
        for (uint256 i = 0; i < 3; ++i) {
            if (i > 0) makeOperator(operator);
            address from = i == 0 ? owner : operator;
            uint16 entry = i == 2 ? type(uint16).max : 0;
            bytes memory pairs = Routes.pairsOf(Routes.Pair(entry, false, HELD));
            vm.startPrank(from);
            (bool own,) = executor.call(Routes.own(IN, pairs));
            (bool last,) = executor.call(Routes.last(entry, HELD, IN, pairs));
            (bool first,) = executor.call(Routes.first(entry, IN, pairs));
            (bool loan,) = executor.call(Routes.loan(entry, HELD, IN, pairs));
            vm.stopPrank();
            assertFalse(own || last || first || loan);
            assertEq(held(address(weth)), HELD);
        }
    }

    // --- how much ----------------------------------------------------------------------------------------------------

    /// @dev One wei more goes out than comes in.
    function test_lossIsRefused() public {
        Side memory side = sides[0];
        (Routes.Pair memory x, Routes.Pair memory y) = cycle(side, IN);
        y.out = IN - 1;
        bytes memory loss = belowPromise(IN - 1, IN);
        refused(Routes.own(IN, Routes.pairsOf(x, y)), loss);
        refused(Routes.last(y.index, y.out, IN, Routes.pairsOf(x)), loss);
        refused(Routes.loan(x.index, x.out, IN, Routes.pairsOf(y)), loss);
        for (uint16 i = 0; i < 8; ++i) {
            uint256 owed = i == 4 || i == 5 ? IN * 1000 / 997 + 1 : i > 5 ? IN + IN / 2000 : IN;
            y.out = owed - 1;
            refused(Routes.loan(LENDERS + i, owed, IN, Routes.pairsOf(x, y)), belowPromise(owed - 1, owed));
        }
        (, uint256 given) = v3Quote(entries[side.pool], address(weth), IN);
        assertLt(given, IN);
        Routes.Pair memory z = pairOf(side.dear, address(side.token), given);
        z.out = IN - 1;
        refused(Routes.first(side.pool, IN, Routes.pairsOf(z)), loss);
        Routes.Pair memory w = pairOf(side.dear, address(weth), IN);
        (, uint256 out) = v3Quote(entries[side.pool], address(side.token), w.out);
        refused(Routes.last(side.pool, out, IN, Routes.pairsOf(w)), belowPromise(out, IN));
    }

    /// @dev The pairs of a route fill their bytes: else what is checked would not be what ran. This one pays all the
    /// WETH there is for a bit of a token, whose pair sends to nobody; and takes the index of that for what comes home.
    function test_misalignedPairs() public {
        uint16 above = sides[0].dear; // a pair of V2_WETH_0, of which the low bytes of an amount are the index
        Routes.Pair memory back = pairOf(above, address(sides[0].token), 1 ether);
        bytes memory pairs =
            abi.encodePacked(above, uint96((back.out >> 17 << 16) | above), uint16(0x0100), uint80(0));
        bytes memory route = Routes.loan(sides[0].cheap, 1 ether, HELD, pairs);
        tryAll(route);
        tryAll(Routes.loan(LENDERS, HELD, HELD, pairs));
        tryAll(Routes.first(sides[0].pool, HELD, pairs));
        tryAll(onTerms(route, 1));
    }

    /// @dev A loan that ends before its pairs begin: the callback would run one of zeros, which is entry 0, and pay. The
    /// bytes of the amount are, when the end comes two bytes early, the index of the last pair and what it gives.
    function test_endsBeforeItsPairs(uint16 index, uint256 short) public {
        uint96 amount = uint96(index % ENTRIES) << 16 | 0x7fff;
        short = bound(short, 0, 26);
        for (uint16 anchor = 0; anchor < ENTRIES; ++anchor) {
            bytes memory route = Routes.loan(anchor, amount, HELD, "");
            assembly {
                mstore(route, sub(mload(route), short))
            }
            tryAll(route);
            route = Routes.first(anchor, HELD, "");
            assembly {
                mstore(route, sub(mload(route), mod(short, 14)))
            }
            tryAll(route);
        }
    }

    /// @dev Good routes with bytes taken off or put on at the end.
    function test_lengths(uint256 seed, bytes32 more) public {
        bytes memory route = anyRoute(seed);
        uint256 length = bound(seed >> 8, 0, route.length + 32);
        bytes memory longer = abi.encodePacked(route, more);
        assembly {
            mstore(longer, length)
        }
        tryAll(longer);
    }

    /// @dev Good routes with some bytes replaced.
    function test_replacedBytes(uint256 seed, uint256 place, uint256 value) public {
        bytes memory route = anyRoute(seed);
        uint256 count = 1 + seed % 3;
        for (uint256 i = 0; i < count; ++i) {
            uint256 at = 1 + ((place >> (16 * i)) & 0xffff) % (route.length - 1);
            route[at] = bytes1(uint8(value >> (8 * i)));
        }
        tryAll(route);
        tryAll(onTerms(route, uint16(value)));
    }

    /// @dev Noise under every head of a route; small indices, so that there is something to find.
    function test_noise(uint8 head, bytes calldata noise, uint256 small) public {
        bytes memory route = abi.encodePacked(uint8(Program.ROUTE | (head & 0x1f)), noise);
        for (uint256 i = 1; i < route.length; ++i) {
            if (small >> i & 1 == 0) route[i] = bytes1(uint8(route[i]) % uint8(ENTRIES + 1));
        }
        tryAll(route);
    }

    /// @dev Fields of the right size with anything in them.
    function test_anyFields(uint256 seed, uint16[4] memory indices, uint256[4] memory amounts) public {
        for (uint256 i = 0; i < 4; ++i) {
            indices[i] %= ENTRIES + 2;
            amounts[i] = bound(amounts[i], 0, 2 * HELD) * (seed >> (8 + i) & 1);
        }
        bytes memory pairs = Routes.pairsOf(
            Routes.Pair(indices[1], seed >> 20 & 1 == 1, amounts[2]),
            Routes.Pair(indices[2], seed >> 21 & 1 == 1, amounts[3])
        );
        uint256 form = seed >> 2 & 3;
        if (form == 0) tryAll(Routes.own(amounts[0], pairs));
        if (form == 1) tryAll(Routes.last(indices[0], amounts[0], amounts[1], pairs));
        if (form == 2) tryAll(Routes.first(indices[0], amounts[1], pairs));
        if (form == 3) tryAll(Routes.loan(indices[0], amounts[0], amounts[1], pairs));
    }

    function anyRoute(uint256 seed) private returns (bytes memory) {
        Side memory side = sides[seed >> 2 & 1];
        (Routes.Pair memory x, Routes.Pair memory y) = cycle(side, IN);
        uint256 form = (seed >> 3) % 6;
        if (form == 0) return Routes.own(IN, Routes.pairsOf(x, y));
        if (form == 1) return Routes.last(y.index, y.out, IN, Routes.pairsOf(x));
        if (form == 2) return Routes.last(side.pool, 0, IN, Routes.pairsOf(x));
        if (form == 3) return Routes.loan(x.index, x.out, IN, Routes.pairsOf(y));
        if (form == 4) {
            return Routes.loan(LENDERS + uint16(seed >> 6 & 3), IN, IN, Routes.pairsOf(x, y));
        }
        (, uint256 out) = v3Quote(entries[side.pool], address(weth), IN);
        return Routes.first(side.pool, IN, Routes.pairsOf(pairOf(side.dear, address(side.token), out)));
    }

    function onTerms(bytes memory route, uint16 bid) private view returns (bytes memory) {
        bytes memory rest = new bytes(route.length - 1);
        for (uint256 i = 0; i < rest.length; ++i) {
            rest[i] = route[i + 1];
        }
        return abi.encodePacked(uint8(route[0]) | 0x10, uint32(block.number), bid, rest);
    }

    /// @dev A pool of the book that goes silent has given nothing. What it would leave to read is the book's own entry.
    function test_silentPool() public {
        for (uint256 i = 0; i < 2; ++i) {
            Side memory side = sides[i];
            vm.etch(entries[side.pool], hex"00");
            for (uint256 j = 0; j < 2; ++j) {
                bytes memory pairs = Routes.pairsOf(Routes.Pair(WETH_ENTRY, false, j));
                refused(Routes.last(side.pool, 1, 0, pairs), belowPromise(0, 1));
                refused(onTerms(Routes.last(side.pool, 0, 1, pairs), 1), belowPromise(0, 1));
            }
        }
    }

    /// @dev The reason of a failure is told as any decoder reads it.
    function test_failuresAreTold() public {
        (Routes.Pair memory x, Routes.Pair memory y) = cycle(sides[0], IN);
        ++y.out;
        isTold(
            Routes.own(IN, Routes.pairsOf(x, y)),
            entries[y.index],
            abi.encodeWithSignature("Error(string)", "UniswapV2: K")
        );
        ++x.out;
        isTold(
            Routes.own(IN, Routes.pairsOf(x, y)),
            entries[x.index],
            abi.encodeWithSignature("Error(string)", "UniswapV2: K")
        );
        isTold(Routes.own(HELD + 1, Routes.pairsOf(x, y)), address(weth), "");
    }

    function isTold(bytes memory route, address target, bytes memory reason) private {
        vm.prank(owner);
        (bool success, bytes memory answer) = executor.call(route);
        assertFalse(success);
        assertEq(answer, abi.encodeWithSelector(IExecutor.CallFailed.selector, target, reason));
    }

    // --- who is in the middle ----------------------------------------------------------------------------------------

    /// @dev An evil pair of the book, between two genuine ones, which is an operator too, and trades while it is asked to
    /// swap: it may, and takes nothing.
    function test_evilPairInTheMiddle() public {
        makeOperator(address(evil));
        (Routes.Pair memory x, Routes.Pair memory y) = cycle(sides[0], IN);
        sides[0].token.transfer(entries[sides[0].dear], x.out); // it pays the last pair, say
        Routes.Pair memory middle = Routes.Pair(EVIL, false, 1);
        evil.add(address(0), Programs.program(0, Programs.payTo(address(evil), 1)), 0);
        evil.add(address(0), Routes.own(1, Routes.pairsOf(Routes.Pair(EVIL, false, HELD))), 0);
        evil.add(address(0), v2Callback(nothing()), 0);
        evil.add(address(0), Programs.program(0, Programs.tip(1)), 0);
        evil.add(address(0), abi.encodeCall(IExecutor.withdrawEth, (1)), 0);
        evil.add(address(0), Programs.program(0, ""), 0);
        bytes memory pairs = abi.encodePacked(Routes.pairsOf(x, middle), Routes.pairsOf(y));
        trade(Routes.own(IN, pairs));
        for (uint256 i = 0; i < 5; ++i) {
            assertFalse(evil.succeeded(i));
        }
        assertTrue(evil.succeeded(5));
        assertEq(held(address(weth)), HELD + y.out - IN);
        assertTokensKept();
    }

    /// @dev The evil pair gets the WETH, and gives nothing: then the last one does not.
    function test_evilPairKeepsAll() public {
        (Routes.Pair memory x, Routes.Pair memory y) = cycle(sides[0], IN);
        Routes.Pair memory middle = Routes.Pair(EVIL, false, 1);
        stopped(Routes.own(IN, Routes.pairsOf(middle, y)));
        stopped(Routes.own(IN, abi.encodePacked(Routes.pairsOf(x, middle), Routes.pairsOf(y))));
        stopped(Routes.loan(LENDERS, IN, IN, Routes.pairsOf(middle, y)));
    }

    /// @dev Strangers send no routes.
    function test_strangers(uint256 seed) public {
        bytes memory route = anyRoute(seed);
        assertRefuses(stranger, route);
        assertRefuses(address(evil), onTerms(route, 0));
        assertKept();
    }

    /// @dev ETH comes with no route.
    function test_noEth() public {
        bytes memory route = anyRoute(1);
        vm.deal(owner, 1 ether);
        vm.prank(owner);
        (bool success, bytes memory answer) = executor.call{value: 1}(route);
        assertFalse(success);
        assertEq(answer, abi.encodeWithSelector(IExecutor.EthRefused.selector, owner));
        assertKept();
    }
}
