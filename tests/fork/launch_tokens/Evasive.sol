// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Base} from "./Hostile.sol";

// Written against the checker, with its source at hand.

/// @notice Honest wherever the router's code is not the router's.
contract SeesProbe is Base {
    bytes32 private immutable real = address(0x7a250d5630B4cF539739dF2C5dAcb4c659F2488D).codehash;

    function _check(address from, address to, uint256) internal view override {
        require(!_sells(from, to) || msg.sender.codehash != real);
    }
}

/// @notice Refuses sizes between the round shares that a ladder would take.
contract BetweenSizes is Base {
    function _check(address from, address to, uint256 value) internal view override {
        if (!_sells(from, to)) return;
        uint256 millionths = value * 1e6 / balances[pair];
        require(millionths < 600 || (millionths > 4000 && millionths < 6000) || millionths > 40000);
    }
}

/// @notice Honest with gas to spare, as in a simulation; else it takes nearly all.
contract CountsGas is Base {
    function _tax(address from, address to, uint256 value) internal view override returns (uint256) {
        return _sells(from, to) && gasleft() < 1_000_000 ? value * 97 / 100 : 0;
    }
}

/// @notice Its maker stops sales by an approval of an amount that only he knows.
contract SecretApproval is Base {
    bool private stopped;

    function approve(address spender, uint256 value) public override returns (bool) {
        if (msg.sender == boss && value == 0x51ab3e) stopped = true;
        return super.approve(spender, value);
    }

    function _check(address from, address to, uint256) internal view override {
        require(!_sells(from, to) || !stopped);
    }
}

/// @notice Its maker stops sales by sending one wei of it to itself.
contract SelfSend is Base {
    bool private stopped;

    function transfer(address to, uint256 value) public override returns (bool) {
        if (msg.sender == boss && to == address(this)) stopped = true;
        return super.transfer(to, value);
    }

    function _check(address from, address to, uint256) internal view override {
        require(!_sells(from, to) || !stopped);
    }
}

/// @notice Sales end when the pool has twice the base that it began with.
contract RisenPrice is Base {
    uint256 private first;

    function _check(address from, address to, uint256) internal override {
        if (pair == address(0) || from == boss) return;
        (bool success, bytes memory said) =
            address(0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2).call(abi.encodeWithSignature("balanceOf(address)", pair));
        require(success);
        uint256 now_ = abi.decode(said, (uint256));
        if (first == 0) first = now_;
        require(!_sells(from, to) || now_ < first * 3 / 2);
    }
}

/// @notice Honest to who has a round sum of ether.
contract KnowsPurse is Base {
    function _check(address from, address to, uint256) internal view override {
        require(!_sells(from, to) || from.balance % 1e17 < 1e15);
    }
}

/// @notice Has no function for it in its list: its maker calls with a selector that is computed.
contract NoSelector is Base {
    bool private stopped;

    fallback() external {
        if (msg.sender == boss && uint32(msg.sig) ^ 0x5a5a5a5a == 0x1b2c3d4e) stopped = true;
    }

    function _check(address from, address to, uint256) internal view override {
        require(!_sells(from, to) || !stopped);
    }
}

/// @notice Waits for more buyers than the checker brings.
contract BigCrowd is Base {
    uint256 private count;

    function _check(address from, address to, uint256) internal override {
        if (_buys(from)) count++;
        require(!_sells(from, to) || count < 400);
    }
}

/// @notice Whoever knows the word may stop sales, and nobody is known to.
contract KnowsWord is Base {
    bool private stopped;

    function note(bytes32 word) external {
        if (keccak256(abi.encode(word)) == 0x2f3c1f6b1f2d4c0f6a7b8c9dae0f1b2c3d4e5f60718293a4b5c6d7e8f9001122) stopped = true;
    }

    function _check(address from, address to, uint256) internal view override {
        require(!_sells(from, to) || !stopped);
    }
}

/// @notice Waits for four years.
contract Patient is Base {
    function _check(address from, address to, uint256) internal view override {
        require(!_sells(from, to) || block.timestamp < bornAt + 1461 days);
    }
}
