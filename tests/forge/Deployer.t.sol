// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {Deployer} from "../../contracts/Deployer.sol";

contract Fails {
    error Because(string reason);

    constructor(bool loud) {
        if (loud) revert Because("a reason that does not fit into the four bytes of a selector");
        assembly {
            return(0, 0)
        }
    }
}

/// @notice The contract that deploys for its owner, and nobody else.
contract DeployerTest is Test {
    address private immutable owner = makeAddr("owner");
    Deployer private deployer;

    function setUp() public {
        deployer = Deployer(deployCode("Deployer.sol:Deployer", abi.encode(owner)));
    }

    function test_deploys(bytes32 salt) public {
        bytes memory runtime = abi.encodePacked(hex"00", salt);
        bytes memory code = abi.encodePacked(hex"602180600a3d393df3", hex"00", runtime);
        for (uint64 i = 1; i < 3; ++i) {
            address expected = vm.computeCreateAddress(address(deployer), i);
            vm.expectEmit(address(deployer));
            emit Deployer.Deployed(expected);
            vm.prank(owner);
            address made = deployer.deploy(code);
            assertEq(made, expected);
            assertEq(made.code, runtime);
        }
    }

    function test_onlyTheOwner(address who) public {
        vm.assume(who != owner && who != address(deployer)); // whose nonce grows when it is the sender
        vm.expectRevert(abi.encodeWithSelector(Deployer.Unauthorized.selector, who));
        vm.prank(who);
        deployer.deploy(hex"00");
        assertEq(vm.getNonce(address(deployer)), 1);
    }

    /// @dev With the reason, whole; a failure takes no address.
    function test_failures() public {
        bytes memory reason = abi.encodeWithSelector(
            Fails.Because.selector, "a reason that does not fit into the four bytes of a selector"
        );
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSelector(Deployer.CreationFailed.selector, reason));
        deployer.deploy(abi.encodePacked(type(Fails).creationCode, abi.encode(true)));
        vm.expectRevert(abi.encodeWithSelector(Deployer.CreationFailed.selector, ""));
        deployer.deploy(abi.encodePacked(type(Fails).creationCode, abi.encode(false)));
        vm.expectRevert(abi.encodeWithSelector(Deployer.CreationFailed.selector, ""));
        deployer.deploy("");
        vm.stopPrank();
        assertEq(vm.getNonce(address(deployer)), 1);
    }

    function test_construction() public {
        assertEq(deployer.owner(), owner);
        bytes memory code = abi.encodePacked(vm.getCode("Deployer.sol:Deployer"), abi.encode(address(0)));
        bytes memory answer = new bytes(4);
        address made;
        assembly {
            made := create(0, add(code, 0x20), mload(code))
            returndatacopy(add(answer, 0x20), 0, returndatasize())
        }
        assertEq(made, address(0));
        assertEq(answer, abi.encodeWithSelector(Deployer.BadConstruction.selector));
    }
}
