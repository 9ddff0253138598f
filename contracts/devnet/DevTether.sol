// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {DevToken} from "./DevToken.sol";

/// @title A devnet token with the manners of mainnet's USDT: no return values, and an allowance is changed only to or
/// from zero.
contract DevTether is DevToken {
    error AllowanceNotZero();

    constructor(string memory name_, string memory symbol_, uint8 decimals_, address minter_)
        DevToken(name_, symbol_, decimals_, minter_)
    {}

    function transfer(address to, uint256 amount) public override returns (bool) {
        super.transfer(to, amount);
        _returnNothing();
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        super.transferFrom(from, to, amount);
        _returnNothing();
    }

    function approve(address spender, uint256 amount) public override returns (bool) {
        if (amount != 0 && allowance(msg.sender, spender) != 0) revert AllowanceNotZero();
        super.approve(spender, amount);
        _returnNothing();
    }

    /// @dev Ends the call with empty return data, which the declared `bool` would not allow.
    function _returnNothing() private pure {
        assembly ("memory-safe") {
            return(0, 0)
        }
    }
}
