// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

/// Tokens as to where they keep balances. Each has `give`, by which the test makes a balance first.
contract PlainToken {
    uint256 public totalSupply = 1000;
    mapping(address => uint256) public balanceOf;

    function give(address to, uint96 amount) external {
        balanceOf[to] = amount;
    }
}

/// keccak(slot . key), as Vyper orders it.
contract VyperToken {
    function balanceOf(address who) external view returns (uint256 amount) {
        bytes32 place = _place(who);
        assembly ("memory-safe") {
            amount := sload(place)
        }
    }

    function give(address to, uint96 amount) external {
        bytes32 place = _place(to);
        assembly ("memory-safe") {
            sstore(place, amount)
        }
    }

    function _place(address who) private pure returns (bytes32) {
        return keccak256(abi.encode(uint256(7), who));
    }
}

/// The balance between other fields of its word.
contract PackedToken {
    struct Holder {
        uint64 since;
        uint96 amount;
        uint96 spent;
    }

    mapping(address => Holder) public holders;

    function balanceOf(address who) external view returns (uint256) {
        return holders[who].amount;
    }

    function give(address to, uint96 amount) external {
        holders[to] = Holder(77, amount, 5);
    }
}

/// A flag in the highest bit, as USDC since its version 2.2.
contract FlaggedToken {
    mapping(address => uint256) public words;

    function balanceOf(address who) external view returns (uint256) {
        return words[who] & ((1 << 255) - 1);
    }

    function give(address to, uint96 amount) external {
        words[to] = (1 << 255) | uint256(amount);
    }
}

/// Upgradeable storage (ERC-7201), and a switch that balanceOf reads as well.
contract NamespacedToken {
    bool public paused;

    function _places() private pure returns (mapping(address => uint256) storage places) {
        bytes32 at = 0x52c63247e1f47db19d5ce0460030c497f067ca4cebf71ba98eeadabe20bace00;
        assembly ("memory-safe") {
            places.slot := at
        }
    }

    function balanceOf(address who) external view returns (uint256) {
        require(!paused, "paused");
        return _places()[who];
    }

    function give(address to, uint96 amount) external {
        _places()[to] = amount;
    }
}

/// Another's code on its own storage, by a pointer in storage.
contract ProxyToken {
    bytes32 private constant CODE = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;

    constructor() {
        address code = address(new FlaggedToken());
        assembly ("memory-safe") {
            sstore(CODE, code)
        }
    }

    fallback() external {
        assembly {
            calldatacopy(0, 0, calldatasize())
            let done := delegatecall(gas(), sload(CODE), 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(done) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }
}

/// Balances in a contract of their own.
contract ForeignToken {
    PlainToken public immutable STORE = new PlainToken();

    function balanceOf(address who) external view returns (uint256) {
        return STORE.balanceOf(who);
    }

    function give(address to, uint96 amount) external {
        STORE.give(to, amount);
    }
}

/// The sum of two slots of the holder.
contract SplitToken {
    mapping(address => uint256) public free;
    mapping(address => uint128) public locked;

    function balanceOf(address who) external view returns (uint256) {
        return free[who] + locked[who];
    }

    function give(address to, uint96 amount) external {
        (free[to], locked[to]) = (amount / 3, amount - amount / 3);
    }
}

/// Shares of a pot, as stETH.
contract SharesToken {
    uint256 public pot = 1_234_567_890_123_456_789;
    uint256 public shares = 1_000_000_000_000_000_000;
    mapping(address => uint256) public sharesOf;

    function balanceOf(address who) external view returns (uint256) {
        return sharesOf[who] * pot / shares;
    }

    function give(address to, uint96 amount) external {
        sharesOf[to] = amount;
    }
}

/// A part of the word scaled by an index, as Aave's tokens.
contract IndexToken {
    uint256 public index = 1_020_304_050_607_080_910_111_213_141;
    mapping(address => uint128) public scaled;

    function balanceOf(address who) external view returns (uint256) {
        return (uint256(scaled[who]) * index + 5e26) / 1e27;
    }

    function give(address to, uint96 amount) external {
        scaled[to] = amount;
    }
}

/// Everybody has the same.
contract CommonToken {
    uint256 public all;

    function balanceOf(address) external view returns (uint256) {
        return all;
    }

    function give(address, uint96 amount) external {
        all = amount;
    }
}

/// No storage behind it.
contract ConstantToken {
    function balanceOf(address) external pure returns (uint256) {
        return 5;
    }

    function give(address, uint96) external pure {}
}
