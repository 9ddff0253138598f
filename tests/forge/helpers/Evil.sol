// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Poses as a pool of either kind, and as a lender: when it is called it makes the calls that it was given,
/// as itself or through an accomplice, and notes what became of them.
contract EvilPool {
    struct Call {
        address through;
        bytes data;
        uint256 value;
    }

    uint256 private constant GAS = 2_000_000; // what a forged length burns

    address private immutable TARGET;
    Call[] private calls;
    bool[] public succeeded;
    bytes[] public answers;
    bytes public called; // with what it was called last

    constructor(address target) payable {
        TARGET = target;
    }

    /// @dev Adds a call to make, through an accomplice unless that is zero.
    function add(address through, bytes calldata data, uint256 value) external {
        calls.push(Call(through, data, value));
    }

    function done() external view returns (uint256) {
        return succeeded.length;
    }

    function reset() external {
        delete calls;
        delete succeeded;
        delete answers;
    }

    fallback() external {
        called = msg.data;
        act();
    }

    function act() public {
        for (uint256 i = 0; i < calls.length; ++i) {
            Call memory call_ = calls[i];
            (bool success, bytes memory answer) = call_.through == address(0)
                ? TARGET.call{value: call_.value, gas: GAS}(call_.data)
                : Accomplice(call_.through).forward(TARGET, call_.data);
            succeeded.push(success);
            answers.push(answer);
        }
    }
}

/// @notice Calls as another account.
contract Accomplice {
    function forward(address target, bytes calldata data) external returns (bool, bytes memory) {
        return target.call(data);
    }
}

/// @notice An operator that is a contract: does several calls in one transaction, all of which must succeed.
contract Batch {
    function run(address[] calldata targets, bytes[] calldata data) external {
        for (uint256 i = 0; i < targets.length; ++i) {
            (bool success, bytes memory answer) = targets[i].call(data[i]);
            if (!success) {
                assembly {
                    revert(add(answer, 0x20), mload(answer))
                }
            }
        }
    }
}

/// @notice Lends without pulling back what it lent.
contract GenerousLender {
    function flashLoan(address, uint256 assets, bytes calldata data) external {
        (bool success,) =
            msg.sender.call(abi.encodeWithSignature("onMorphoFlashLoan(uint256,bytes)", assets, data));
        require(success, "callback");
    }
}

/// @notice A v3 pool that calls back by any name.
contract NamedPool {
    bytes4 private immutable NAME;

    constructor(string memory signature) {
        NAME = bytes4(keccak256(bytes(signature)));
    }

    function swap(address, bool, int256 amount, uint160, bytes calldata data) external {
        (bool success,) = msg.sender.call(abi.encodeWithSelector(NAME, amount, -amount, data));
        require(success, "callback");
    }
}

/// @notice A v2 pair that calls back by any name.
contract NamedPair {
    bytes4 private immutable NAME;

    constructor(string memory signature) {
        NAME = bytes4(keccak256(bytes(signature)));
    }

    function swap(uint256 amount0, uint256 amount1, address to, bytes calldata data) external {
        (bool success,) = to.call(abi.encodeWithSelector(NAME, msg.sender, amount0, amount1, data));
        require(success, "callback");
    }
}
