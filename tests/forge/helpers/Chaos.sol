// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Program} from "../../../contracts/libraries/Program.sol";
import {Programs} from "./Programs.sol";
import {Routes} from "./Routes.sol";
import {Steps} from "./Steps.sol";

/// @title Programs made by dice, of the shape that programs have
abstract contract Chaos {
    address[] internal accounts; // pools, lenders, tokens and people that a program may name
    address internal favouritePool; // whom it names most
    address internal favouritePayee;
    address[] internal spendable; // tokens
    uint16 internal entriesInBook;
    uint256 private dice;

    function roll(uint256 seed) internal {
        dice = seed;
    }

    function next(uint256 sides) internal returns (uint256) {
        dice = uint256(keccak256(abi.encode(dice)));
        return dice % sides;
    }

    function anybody() internal returns (address) {
        return accounts[next(accounts.length)];
    }

    function pool() internal returns (address) {
        return next(8) != 0 ? favouritePool : anybody();
    }

    function payee() internal returns (address) {
        return next(8) != 0 ? favouritePayee : anybody();
    }

    /// @dev Zero is WETH, not named.
    function aToken() internal returns (address) {
        return next(2) == 0 ? address(0) : spendable[next(spendable.length)];
    }

    function amount() internal returns (uint256) {
        uint256 kind = next(16);
        if (kind < 10) return 0;
        if (kind < 12) return next(1000);
        if (kind == 12) return 1 ether + next(5 ether);
        if (kind == 13) return 100 ether;
        if (kind == 14) return next(200 ether);
        return next(1 << 95);
    }

    // --- routes ------------------------------------------------------------------------------------------------------

    function route() internal returns (bytes memory made) {
        bytes memory pairs;
        uint256 count = next(4);
        for (uint256 i = 0; i < count; ++i) {
            pairs = abi.encodePacked(pairs, Routes.pairsOf(Routes.Pair(entry(), next(2) == 0, amount())));
        }
        uint256 form = next(4);
        if (form == 0) made = Routes.own(amount(), pairs);
        else if (form == 1) made = Routes.last(entry(), amount(), amount(), pairs);
        else if (form == 2) made = Routes.first(entry(), amount(), pairs);
        else made = Routes.loan(entry(), amount(), amount(), pairs);
        if (next(4) == 0) made = cut(made);
        if (next(3) == 0) made = onTerms(made);
    }

    function entry() private returns (uint16) {
        return uint16(next(entriesInBook + 2));
    }

    /// @dev Some bytes less, or more.
    function cut(bytes memory made) private returns (bytes memory) {
        made = abi.encodePacked(made, keccak256(abi.encode(dice)));
        uint256 length = made.length - next(64) % made.length;
        assembly {
            mstore(made, length)
        }
        return made;
    }

    function onTerms(bytes memory made) private returns (bytes memory) {
        bytes memory rest = new bytes(made.length - 1);
        for (uint256 i = 0; i < rest.length; ++i) {
            rest[i] = made[i + 1];
        }
        uint8 head = uint8(made[0]) | uint8(Program.ROUTE_TERMS);
        return abi.encodePacked(head, type(uint32).max, uint16(next(10_002)), rest);
    }

    // --- steps -------------------------------------------------------------------------------------------------------

    function program() internal returns (bytes memory) {
        uint256 count = next(4) == 0 ? next(spendable.length) : spendable.length;
        bytes memory tokens;
        for (uint256 i = 0; i < count; ++i) {
            tokens = abi.encodePacked(tokens, Programs.account(spendable[i]));
        }
        uint16 bid = uint16(next(64) == 0 ? 10_001 : next(10_001));
        bytes memory head = next(8) == 0
            ? abi.encodePacked(uint8(0))
            : abi.encodePacked(uint8(Program.TERMS), uint8(Program.BID | count), bid, tokens);
        return abi.encodePacked(head, steps(2));
    }

    function steps(uint256 depth) internal returns (bytes memory made) {
        uint256 count = 1 + next(3);
        for (uint256 i = 0; i < count; ++i) {
            made = abi.encodePacked(made, depth != 0 && next(2) == 0 ? nesting(steps(depth - 1)) : single());
        }
    }

    function hop() private returns (Programs.Hop memory) {
        return Programs.Hop(pool(), next(2) == 0, amount());
    }

    function single() private returns (bytes memory) {
        uint256 kind = next(16);
        if (kind == 0) return Programs.payChain(amount(), hop(), next(2) == 0);
        if (kind == 1) {
            return Programs.payChain(spendable[next(spendable.length)], amount(), hop(), next(2) == 0);
        }
        if (kind == 2) return Programs.payTo(payee(), amount());
        if (kind == 3) return Programs.payTo(spendable[next(spendable.length)], payee(), amount());
        if (kind == 4) return Programs.tip(amount());
        if (kind == 5) return Steps.wrap(amount());
        if (kind == 6) return Steps.unwrap(amount());
        if (kind == 7) return Programs.pay(amount());
        if (kind == 8) return Steps.curve(pool(), next(6), next(256), aToken(), amount(), 0);
        if (kind == 9) {
            return Steps.balancerSwap(pool(), bytes32(next(1 << 250)), aToken(), anybody(), amount(), 0);
        }
        if (kind == 10) return Steps.deposit(pool(), aToken(), amount());
        if (kind == 11) return Steps.redeem(pool(), amount());
        if (kind == 12) return Steps.liquidateAave(pool(), aToken(), anybody(), anybody(), amount());
        if (kind == 13) return Steps.liquidateCompound(pool(), aToken(), anybody(), anybody(), amount());
        if (kind == 14) return Steps.redeemCompound(pool(), amount());
        return v4();
    }

    function v4() private returns (bytes memory) {
        uint256 kind = next(6);
        if (kind == 0) return Steps.sync(anybody());
        if (kind == 1) return Steps.take(next(2) == 0 ? address(0) : anybody(), amount());
        if (kind == 2) return Steps.take(next(2) == 0 ? address(0) : anybody(), anybody(), amount());
        if (kind == 3) return Steps.settle(amount());
        if (kind == 4) return Steps.settle(next(2) == 0 ? address(0) : anybody(), amount());
        return Steps.settlePaid();
    }

    function nesting(bytes memory nested) private returns (bytes memory) {
        uint256 kind = next(10);
        if (kind == 0) return Programs.v3(pool(), next(2) == 0, amount(), 8 * next(4), nested);
        if (kind == 1) return Programs.flash(pool(), next(2) == 0, amount(), nested);
        if (kind == 2) return Steps.loan(Program.MORPHO, pool(), aToken(), amount(), 0, nested);
        if (kind == 3) return Steps.loan(Program.BALANCER_V2, pool(), aToken(), amount(), 0, nested);
        if (kind == 4) return Steps.loan(Program.AAVE_V3, pool(), aToken(), amount(), amount(), nested);
        if (kind == 5) return Steps.loan(Program.ERC3156, pool(), aToken(), amount(), amount(), nested);
        if (kind == 6) return Steps.flashV3(pool(), next(2) == 0, address(0), amount(), nested);
        if (kind == 7) return Steps.unlock(pool(), nested);
        Steps.Market memory market = Steps.Market(pool(), aToken(), anybody(), anybody(), anybody(), 1);
        return Steps.liquidateMorpho(market, anybody(), amount(), amount(), amount(), nested);
    }
}
