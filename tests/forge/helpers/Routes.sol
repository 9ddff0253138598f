// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Program} from "../../../contracts/libraries/Program.sol";

/// @title Builds routes, right or wrong: pools are indices of the book
library Routes {
    struct Pair {
        uint16 index;
        bool zeroForOne;
        uint256 out;
    }

    function own(uint256 paid, bytes memory pairs) internal pure returns (bytes memory) {
        return abi.encodePacked(head(Program.ROUTE_OWN), uint96(paid), pairs);
    }

    function last(uint16 anchor, uint256 least, uint256 paid, bytes memory pairs)
        internal
        pure
        returns (bytes memory)
    {
        bytes memory amounts = abi.encodePacked(uint96(least), uint96(paid));
        return abi.encodePacked(head(Program.ROUTE_LAST), anchor, amounts, pairs);
    }

    function first(uint16 anchor, uint256 paid, bytes memory pairs) internal pure returns (bytes memory) {
        return abi.encodePacked(head(Program.ROUTE_FIRST), anchor, uint96(paid), pairs);
    }

    /// @notice A v2 pair that sends `amount` and is paid `paid`, or a lender of `paid` that is owed `amount`.
    function loan(uint16 anchor, uint256 amount, uint256 paid, bytes memory pairs)
        internal
        pure
        returns (bytes memory)
    {
        bytes memory amounts = abi.encodePacked(uint96(amount), uint96(paid));
        return abi.encodePacked(head(Program.ROUTE_LOAN), anchor, amounts, pairs);
    }

    function pairsOf(Pair memory x) internal pure returns (bytes memory) {
        return abi.encodePacked(x.index, uint96(x.out | (x.zeroForOne ? 1 << 95 : 0)));
    }

    function pairsOf(Pair memory x, Pair memory y) internal pure returns (bytes memory) {
        return abi.encodePacked(pairsOf(x), pairsOf(y));
    }

    function head(uint256 form) private pure returns (uint8) {
        return uint8(Program.ROUTE | form);
    }
}
