// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Calldata} from "./Calldata.sol";
import {Declared} from "./Declared.sol";
import {Program} from "./Program.sol";

/// @title The fields that many steps have; each reader also returns where the next field begins
library Fields {
    /// @notice The token that a step spends: WETH, or with TOKEN the one named at `cursor`, which must be declared.
    function spentAt(address weth, uint256 head, uint256 cursor) internal view returns (address, uint256) {
        if (head & Program.TOKEN == 0) return (weth, cursor);
        return declaredAt(cursor);
    }

    /// @notice The token named at `cursor`, which must be declared.
    function declaredAt(uint256 cursor) internal view returns (address token, uint256 next) {
        (token, next) = Calldata.accountAt(cursor);
        Declared.check(token);
    }

    /// @notice Whom a step sends to: the account named at `cursor` with TO, else `to`.
    function recipientAt(address to, uint256 head, uint256 cursor) internal pure returns (address, uint256) {
        if (head & Program.TO == 0) return (to, cursor);
        return Calldata.accountAt(cursor);
    }

    /// @notice An amount: 12 bytes, or 16 with WIDE.
    function amountAt(uint256 head, uint256 cursor) internal pure returns (uint256 amount, uint256 next) {
        unchecked {
            uint256 size = amountSize(head);
            return (Calldata.uintAt(cursor, size), cursor + size);
        }
    }

    function amountSize(uint256 head) internal pure returns (uint256) {
        unchecked {
            return Program.NARROW_SIZE + (head & Program.WIDE);
        }
    }

    /// @notice Nested steps: where they begin, their length, and where they end.
    function nestedAt(uint256 cursor) internal pure returns (uint256 start, uint256 length, uint256 next) {
        unchecked {
            length = Calldata.uintAt(cursor, 2);
            start = cursor + 2;
            next = start + length;
        }
    }
}
