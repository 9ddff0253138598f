// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Program} from "../../../contracts/libraries/Program.sol";

/// @title Builds programs for the tests, by the grammar of `Program`
/// @notice Accounts that `World.setBook` put into the book are named by their index, others are written out.
library Programs {
    struct Hop {
        address pool;
        bool zeroForOne;
        uint256 out;
    }

    // --- accounts ------------------------------------------------------------------------------------------------

    /// @notice Index + 1 of each account in the book; in the storage of the test that builds programs.
    function book() internal pure returns (mapping(address => uint256) storage indices) {
        bytes32 slot = keccak256("Programs.book");
        assembly {
            indices.slot := slot
        }
    }

    function account(address x) internal view returns (bytes memory) {
        uint256 known = book()[x];
        return known == 0 ? abi.encodePacked(hex"ff", x) : abi.encodePacked(uint16(known - 1));
    }

    function index(address x) internal view returns (uint16) {
        uint256 known = book()[x];
        require(known != 0, "not in the book");
        return uint16(known - 1);
    }

    // --- routes --------------------------------------------------------------------------------------------------

    function ownRoute(uint256 paid, Hop[] memory hops) internal view returns (bytes memory) {
        return abi.encodePacked(uint8(Program.ROUTE | Program.ROUTE_OWN), fields(paid, hops));
    }

    function lastRoute(address anchor, uint256 out, uint256 paid, Hop[] memory hops)
        internal
        view
        returns (bytes memory)
    {
        uint8 head = uint8(Program.ROUTE | Program.ROUTE_LAST);
        return abi.encodePacked(head, index(anchor), uint96(out), fields(paid, hops));
    }

    /// @notice With a v3 pool first.
    function firstRoute(address anchor, uint256 paid, Hop[] memory hops)
        internal
        view
        returns (bytes memory)
    {
        return abi.encodePacked(uint8(Program.ROUTE | Program.ROUTE_FIRST), index(anchor), fields(paid, hops));
    }

    /// @notice With a v2 pair first, which sends `out`.
    function firstRoute(address anchor, uint256 out, uint256 paid, Hop[] memory hops)
        internal
        view
        returns (bytes memory)
    {
        bytes memory head = abi.encodePacked(uint8(Program.ROUTE | Program.ROUTE_LOAN), index(anchor));
        return abi.encodePacked(head, uint96(out), fields(paid, hops));
    }

    /// @notice The route with a last block and a bid in basis points.
    function onTerms(bytes memory route, uint32 deadline_, uint16 bid) internal pure returns (bytes memory) {
        bytes memory rest = new bytes(route.length - 1);
        for (uint256 i = 0; i < rest.length; ++i) {
            rest[i] = route[i + 1];
        }
        return abi.encodePacked(uint8(route[0]) | uint8(Program.ROUTE_TERMS), deadline_, bid, rest);
    }

    function fields(uint256 paid, Hop[] memory hops) private view returns (bytes memory packed) {
        packed = abi.encodePacked(uint96(paid));
        for (uint256 i = 0; i < hops.length; ++i) {
            uint96 out = uint96(hops[i].out) | (hops[i].zeroForOne ? 1 << 95 : 0);
            packed = abi.encodePacked(packed, index(hops[i].pool), out);
        }
    }

    // --- steps ---------------------------------------------------------------------------------------------------

    /// @notice A program that keeps at least `minimum` of WETH.
    function program(uint256 minimum, bytes memory steps) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(12), uint96(minimum), steps);
    }

    /// @notice A program that also spends `token`, and keeps at least `minimum` of it.
    function program(uint256 minimum, address token, bytes memory steps)
        internal
        view
        returns (bytes memory)
    {
        return abi.encodePacked(uint8(12 | Program.TERMS), uint8(1), uint96(minimum), account(token), steps);
    }

    /// @notice The same with two tokens.
    function program(uint256 minimum, address one, address two, bytes memory steps)
        internal
        view
        returns (bytes memory)
    {
        return abi.encodePacked(
            uint8(12 | Program.TERMS), uint8(2), uint96(minimum), account(one), account(two), steps
        );
    }

    /// @notice A program with a last block and a bid in basis points.
    function program(uint256 minimum, uint32 deadline, uint16 bid, bytes memory steps)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(
            uint8(12 | Program.TERMS),
            uint8(Program.DEADLINE | Program.BID),
            uint96(minimum),
            deadline,
            bid,
            steps
        );
    }

    function chain(Hop memory x, bool toCaller) internal view returns (bytes memory) {
        return abi.encodePacked(uint8(toCaller ? Program.V2_TO_CALLER : 0), hop(x));
    }

    function chain(Hop memory x, Hop memory y, bool toCaller) internal view returns (bytes memory) {
        return abi.encodePacked(uint8(1 | (toCaller ? Program.V2_TO_CALLER : 0)), hop(x), hop(y));
    }

    function payChain(uint256 paid, Hop memory x, bool toCaller) internal view returns (bytes memory) {
        uint256 flags = Program.V2_PAY | (toCaller ? Program.V2_TO_CALLER : 0);
        return abi.encodePacked(uint8(flags), uint96(paid), hop(x));
    }

    function payChain(uint256 paid, Hop memory x, Hop memory y, bool toCaller)
        internal
        view
        returns (bytes memory)
    {
        uint256 flags = 1 | Program.V2_PAY | (toCaller ? Program.V2_TO_CALLER : 0);
        return abi.encodePacked(uint8(flags), uint96(paid), hop(x), hop(y));
    }

    function payChain(uint256 paid, Hop memory x, Hop memory y, Hop memory z)
        internal
        view
        returns (bytes memory)
    {
        return abi.encodePacked(uint8(2 | Program.V2_PAY), uint96(paid), hop(x), hop(y), hop(z));
    }

    /// @notice A chain of one that pays in `token`.
    function payChain(address token, uint256 paid, Hop memory x, bool toCaller)
        internal
        view
        returns (bytes memory)
    {
        uint256 flags = Program.V2_PAY | Program.V2_TOKEN | (toCaller ? Program.V2_TO_CALLER : 0);
        return abi.encodePacked(uint8(flags), account(token), uint96(paid), hop(x));
    }

    function v3(address pool, bool zeroForOne, uint256 amount, uint256 recipient, bytes memory nested)
        internal
        view
        returns (bytes memory)
    {
        uint8 head = uint8(Program.V3_SWAP | recipient | (zeroForOne ? Program.ZERO_FOR_ONE : 0));
        return abi.encodePacked(head, account(pool), uint96(amount), uint16(nested.length), nested);
    }

    function flash(address pool, bool zeroForOne, uint256 out, bytes memory nested)
        internal
        view
        returns (bytes memory)
    {
        uint8 head = uint8(Program.V2_FLASH | (zeroForOne ? Program.ZERO_FOR_ONE : 0));
        return abi.encodePacked(head, account(pool), uint96(out), uint16(nested.length), nested);
    }

    function pay(uint256 amount) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(Program.PAY), uint96(amount));
    }

    function pay(address token, uint256 amount) internal view returns (bytes memory) {
        return abi.encodePacked(uint8(Program.PAY | Program.TOKEN), account(token), uint96(amount));
    }

    function payTo(address token, address to, uint256 amount) internal view returns (bytes memory) {
        uint8 head = uint8(Program.PAY | Program.TOKEN | Program.TO);
        return abi.encodePacked(head, account(token), account(to), uint96(amount));
    }

    function payTo(address to, uint256 amount) internal view returns (bytes memory) {
        return abi.encodePacked(uint8(Program.PAY | Program.TO), account(to), uint96(amount));
    }

    function tip(uint256 amount) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(Program.TIP), uint96(amount));
    }

    function loan(uint256 kind, address lender, uint256 amount, bytes memory nested)
        internal
        view
        returns (bytes memory)
    {
        return abi.encodePacked(uint8(kind), account(lender), uint96(amount), uint16(nested.length), nested);
    }

    function loan(uint256 kind, address lender, address token, uint256 amount, bytes memory nested)
        internal
        view
        returns (bytes memory)
    {
        bytes memory head = abi.encodePacked(uint8(Program.TOKEN | kind), account(lender), account(token));
        return abi.encodePacked(head, uint96(amount), uint16(nested.length), nested);
    }

    function hop(Hop memory x) private view returns (bytes memory) {
        return abi.encodePacked(account(x.pool), uint96(x.out | (x.zeroForOne ? 1 << 95 : 0)));
    }
}
