// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Deploys for one owner, at addresses that are the same on every chain
/// @notice Put on a chain by CREATE2 through the deterministic deployment proxy, it has an address that follows
/// from its owner and a salt alone. The contracts that it creates have addresses that follow from its own and their
/// number: the first is at the same one on every chain, whatever its code and its constructor's arguments. Nobody
/// but the owner can take them.
contract Deployer {
    /// @notice The account that alone deploys.
    address public immutable owner;

    /// @notice The caller is not the owner.
    error Unauthorized(address caller);
    /// @notice There must be an owner.
    error BadConstruction();
    /// @notice The constructor reverted with `reason`, or left no code behind.
    error CreationFailed(bytes reason);

    /// @notice `created` is there.
    event Deployed(address indexed created);

    /// @param owner_ The account that alone deploys. It cannot be changed.
    constructor(address owner_) {
        if (owner_ == address(0)) revert BadConstruction();
        owner = owner_;
    }

    /// @notice Creates a contract. A failure leaves the next address as it was. Only the owner.
    /// @param creationCode Creation bytecode, the constructor's arguments behind it.
    /// @return created The new contract.
    function deploy(bytes calldata creationCode) external returns (address created) {
        if (msg.sender != owner) revert Unauthorized(msg.sender);
        bytes memory data = creationCode;
        assembly ("memory-safe") {
            created := create(0, add(data, 0x20), mload(data))
        }
        if (created.code.length == 0) revert CreationFailed(returned());
        emit Deployed(created);
    }

    /// @dev What the creation returned: why it reverted, else nothing.
    function returned() private pure returns (bytes memory data) {
        assembly ("memory-safe") {
            data := mload(0x40)
            mstore(0x40, add(data, and(add(returndatasize(), 0x3f), not(0x1f))))
            mstore(data, returndatasize())
            returndatacopy(add(data, 0x20), 0, returndatasize())
        }
    }
}
