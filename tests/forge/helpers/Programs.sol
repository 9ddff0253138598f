// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Program} from "../../../contracts/libraries/Program.sol";

/// @title Builds programs for the tests, by the grammar of `Program`
library Programs {
    struct Hop {
        address pool;
        bool zeroForOne;
        uint256 out;
    }

    /// @notice A program that keeps at least `minimum` of WETH.
    function program(uint256 minimum, bytes memory steps) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(16), uint128(minimum), steps);
    }

    /// @notice A program that also spends `token`, and keeps at least `minimum` of it.
    function program(uint256 minimum, address token, bytes memory steps)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(uint8(16 | Program.DECLARES), uint128(minimum), uint8(1), token, steps);
    }

    function chain(Hop memory x, bool toCaller) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(toCaller ? Program.V2_TO_CALLER : 0), hop(x));
    }

    function chain(Hop memory x, Hop memory y, bool toCaller) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(1 | (toCaller ? Program.V2_TO_CALLER : 0)), hop(x), hop(y));
    }

    function payChain(uint256 paid, Hop memory x, bool toCaller) internal pure returns (bytes memory) {
        return
            abi.encodePacked(
                uint8(Program.V2_PAY | (toCaller ? Program.V2_TO_CALLER : 0)), hop(x), uint96(paid)
            );
    }

    function payChain(uint256 paid, Hop memory x, Hop memory y, bool toCaller)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(
            uint8(1 | Program.V2_PAY | (toCaller ? Program.V2_TO_CALLER : 0)), hop(x), hop(y), uint96(paid)
        );
    }

    function payChain(uint256 paid, Hop memory x, Hop memory y, Hop memory z)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(uint8(2 | Program.V2_PAY), hop(x), hop(y), hop(z), uint96(paid));
    }

    /// @notice A chain of one that pays in `token`, to the executor.
    function payChain(address token, uint256 paid, Hop memory x) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(Program.V2_PAY | Program.V2_TOKEN), hop(x), token, uint96(paid));
    }

    function v3(address pool, bool zeroForOne, uint256 amount, uint256 recipient, bytes memory nested)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(
            uint8(Program.V3_SWAP | recipient | (zeroForOne ? 1 : 0)),
            pool,
            uint96(amount),
            uint16(nested.length),
            nested
        );
    }

    function flash(address pool, bool zeroForOne, uint256 out, bytes memory nested)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(
            uint8(Program.V2_FLASH | (zeroForOne ? 1 : 0)), pool, uint96(out), uint16(nested.length), nested
        );
    }

    function pay(uint256 amount) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(Program.PAY), uint96(amount));
    }

    function pay(address token, uint256 amount) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(Program.PAY | Program.TOKEN), token, uint96(amount));
    }

    function payTo(address token, address to, uint256 amount) internal pure returns (bytes memory) {
        return
            abi.encodePacked(uint8(Program.PAY | Program.TOKEN | Program.PAY_TO), token, to, uint96(amount));
    }

    function payTo(address to, uint256 amount) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(Program.PAY | Program.PAY_TO), to, uint96(amount));
    }

    function tip(uint256 amount) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(Program.TIP), uint96(amount));
    }

    function deadline(uint256 last) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(Program.DEADLINE), uint32(last));
    }

    function loan(uint256 kind, address lender, uint256 amount, bytes memory nested)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(
            uint8(Program.LOAN | kind), lender, uint96(amount), uint16(nested.length), nested
        );
    }

    function loan(uint256 kind, address lender, address token, uint256 amount, bytes memory nested)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(
            uint8(Program.LOAN | Program.TOKEN | kind),
            lender,
            token,
            uint96(amount),
            uint16(nested.length),
            nested
        );
    }

    function hop(Hop memory x) private pure returns (bytes memory) {
        return abi.encodePacked(x.pool, uint96(x.out | (x.zeroForOne ? 1 << 95 : 0)));
    }
}
