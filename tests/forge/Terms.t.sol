// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "../../contracts/interfaces/IExecutor.sol";
import {Program} from "../../contracts/libraries/Program.sol";
import {Accomplice, EvilPool} from "./helpers/Evil.sol";
import {AnyVenue} from "./helpers/Lenders.sol";
import {Programs} from "./helpers/Programs.sol";
import {Stage} from "./helpers/Stage.sol";
import {Steps} from "./helpers/Steps.sol";

/// @notice The terms of steps: minimum, deadline, bid.
contract TermsTest is Stage {
    AnyVenue private giver; // of as much WETH as a trade is to gain

    function setUp() public override {
        super.setUp();
        giver = new AnyVenue();
        weth.transfer(address(giver), 1000 ether);
    }

    /// @dev Steps that gain.
    function gain(uint256 amount) private returns (bytes memory) {
        giver.set(address(0), address(weth), amount, 0);
        return Steps.curve(address(giver), 2, 0, address(0), 0, 0);
    }

    function onTerms(uint256 minimum, uint16 bid, bytes memory steps) private view returns (bytes memory) {
        return Programs.program(minimum, uint32(block.number), bid, steps);
    }

    /// @dev The bid is the share of the gain, rounded down; the executor has all the rest.
    function test_bidIsExact(uint256 gained, uint16 share) public {
        gained = bound(gained, 0, 1000 ether);
        share = uint16(bound(share, 0, 10_000));
        uint256 bid = gained * share / 10_000;
        bytes memory steps = gain(gained);
        vm.expectRevert(
            abi.encodeWithSelector(
                IExecutor.BelowMinimum.selector, weth, HELD, HELD + gained - bid, gained - bid + 1
            )
        );
        this.tradeOutside(onTerms(gained - bid + 1, share, steps));
        tradeAs(operator, onTerms(gained - bid, share, steps));
        assertEq(builder.balance, bid);
        assertEq(held(address(weth)), HELD + gained - bid);
        assertEq(executor.balance, HELD);
    }

    function test_bidAboveAll(uint16 share) public {
        share = uint16(bound(share, 10_001, type(uint16).max));
        refused(
            onTerms(0, share, gain(1)),
            abi.encodeWithSelector(IExecutor.BidAboveGain.selector, uint256(share))
        );
    }

    /// @dev No gain, no bid; a loss is a loss whatever the bid.
    function test_bidOfNothing(uint16 share) public {
        tradeAs(operator, onTerms(0, share, ""));
        assertEq(builder.balance, 0);
        refused(onTerms(0, share, Programs.payTo(stranger, 1)), below(address(weth), HELD - 1));
        refused(onTerms(0, share, Programs.tip(1)), below(address(weth), HELD - 1));
    }

    /// @dev A bid beside declared tokens is of the gain in WETH all the same.
    function test_bidWithTokens() public {
        bytes memory head = abi.encodePacked(
            uint8(12 | Program.TERMS),
            uint8(Program.BID | 1),
            uint96(0),
            uint16(2500),
            Programs.account(address(a))
        );
        trade(abi.encodePacked(head, gain(8 ether)));
        assertEq(builder.balance, 2 ether);
        assertEq(held(address(weth)), HELD + 6 ether);
        assertEq(held(address(a)), HELD);
    }

    /// @dev The builder trades while it is paid, as an operator: that takes nothing either.
    function test_builderReenters() public {
        EvilBuilder evilBuilder = new EvilBuilder(executor, address(weth));
        makeOperator(address(evilBuilder));
        vm.coinbase(payable(address(evilBuilder)));
        evilBuilder.set(Programs.program(0, address(a), Programs.payTo(address(a), address(evilBuilder), 1)));
        trade(onTerms(0, 5000, gain(8 ether)));
        assertFalse(evilBuilder.succeeded());
        assertEq(held(address(a)), HELD);
        evilBuilder.set(Programs.program(0, Programs.payTo(address(evilBuilder), 1)));
        trade(onTerms(0, 5000, gain(8 ether)));
        assertFalse(evilBuilder.succeeded());
        assertEq(held(address(weth)), HELD + 8 ether);
        evilBuilder.set(onTerms(0, 10_000, ""));
        trade(onTerms(0, 5000, gain(8 ether)));
        assertTrue(evilBuilder.succeeded());
        assertEq(held(address(weth)), HELD + 12 ether);
    }

    /// @dev What it declares while another program has declared it, the other one misses at its end.
    function test_declaredTwiceInEachOther() public {
        EvilBuilder evilBuilder = new EvilBuilder(executor, address(weth));
        makeOperator(address(evilBuilder));
        vm.coinbase(payable(address(evilBuilder)));
        bytes memory head = abi.encodePacked(
            uint8(12 | Program.TERMS),
            uint8(Program.BID | 1),
            uint96(0),
            uint16(2500),
            Programs.account(address(a))
        );
        evilBuilder.set(Programs.program(0, address(a), ""));
        refused(abi.encodePacked(head, gain(8 ether)), undeclared(address(a)));
        evilBuilder.set(Programs.program(0, Programs.payTo(address(a), address(evilBuilder), 1)));
        refused(abi.encodePacked(head, gain(8 ether)), below(address(a), HELD - 1));
    }

    function test_deadline(uint32 block_, uint32 late) public {
        block_ = uint32(bound(block_, 0, type(uint32).max - 1));
        late = uint32(bound(late, block_ + 1, type(uint32).max));
        bytes memory program = Programs.program(0, block_, 0, "");
        vm.roll(block_);
        trade(program);
        vm.roll(late);
        refused(program, abi.encodeWithSelector(IExecutor.Expired.selector, uint256(block_)));
    }

    /// @dev A deadline without a bid, a bid without a deadline, neither.
    function test_eachAlone() public {
        bytes memory late = abi.encodePacked(
            uint8(12 | Program.TERMS), uint8(Program.DEADLINE), uint96(0), uint32(block.number - 1)
        );
        refused(late, abi.encodeWithSelector(IExecutor.Expired.selector, block.number - 1));
        bytes memory timely = abi.encodePacked(
            uint8(12 | Program.TERMS), uint8(Program.DEADLINE), uint96(1 ether), uint32(block.number)
        );
        trade(abi.encodePacked(timely, gain(1 ether)));
        bytes memory bid =
            abi.encodePacked(uint8(12 | Program.TERMS), uint8(Program.BID), uint96(0), uint16(1000));
        trade(abi.encodePacked(bid, gain(1 ether)));
        assertEq(builder.balance, 0.1 ether);
        bytes memory none = abi.encodePacked(uint8(12 | Program.TERMS), uint8(0), uint96(1 ether));
        trade(abi.encodePacked(none, gain(1 ether)));
        assertEq(held(address(weth)), HELD + 2.9 ether);
    }

    /// @dev A minimum of any size, from no bytes to fifteen.
    function test_minimumOfAnySize(uint256 gained, uint256 size) public {
        size = bound(size, 0, 15);
        gained = bound(gained, 1, size > 8 ? 1000 ether : 256 ** size);
        if (size == 0) gained = 1;
        bytes memory steps = gain(gained);
        bytes memory much = number(size, gained + 1);
        if (gained + 1 < 256 ** size) {
            vm.expectRevert(
                abi.encodeWithSelector(IExecutor.BelowMinimum.selector, weth, HELD, HELD + gained, gained + 1)
            );
            this.tradeOutside(abi.encodePacked(uint8(size), much, steps));
            vm.expectRevert(
                abi.encodeWithSelector(IExecutor.BelowMinimum.selector, weth, HELD, HELD + gained, gained + 1)
            );
            this.tradeOutside(abi.encodePacked(uint8(size | Program.TERMS), uint8(0), much, steps));
        }
        uint256 snapshot = vm.snapshotState();
        bytes memory enough = number(size, gained < 256 ** size ? gained : 0);
        trade(abi.encodePacked(uint8(size), enough, steps));
        vm.revertToState(snapshot);
        trade(abi.encodePacked(uint8(size | Program.TERMS), uint8(0), enough, steps));
        assertEq(held(address(weth)), HELD + gained);
    }

    function number(uint256 size, uint256 value) private pure returns (bytes memory packed) {
        packed = new bytes(size);
        for (uint256 i = 0; i < size; ++i) {
            packed[size - 1 - i] = bytes1(uint8(value >> (8 * i)));
        }
    }

    /// @dev The shortest programs: nothing at all does nothing.
    function test_nothing() public {
        bytes[4] memory programs = [bytes(""), hex"00", hex"0c", hex"1c"];
        for (uint256 i = 0; i < programs.length; ++i) {
            tradeAs(owner, programs[i]);
            assertUntouched();
        }
        tradeAs(operator, hex"00");
        (bool success, bytes memory answer) = executor.call("");
        assertFalse(success);
        assertEq(answer, unauthorized(address(this)));
        vm.prank(operator);
        (success,) = executor.call("");
        assertTrue(success);
    }

    /// @dev A trade that another operator makes inside of a trade counts for both, on all terms.
    function test_tradeInsideATrade() public {
        address other = address(new Accomplice());
        makeOperator(other);
        evil.add(address(0), v3Callback(nothing()), 0);
        evil.add(other, onTerms(1 ether, 10_000, gain(1 ether)), 0);
        evil.add(other, onTerms(0, 10_000, gain(1 ether)), 0);
        trade(onTerms(0, 10_000, evilSwap(nothing())));
        assertFalse(evil.succeeded(1));
        assertTrue(evil.succeeded(2));
        assertEq(builder.balance, 1 ether);
        assertUntouched();
    }
}

/// @notice Is paid, and trades at once.
contract EvilBuilder {
    address private immutable EXECUTOR;
    bytes private program;
    bool public succeeded;

    constructor(address executor, address) {
        EXECUTOR = executor;
    }

    function set(bytes calldata program_) external {
        program = program_;
    }

    receive() external payable {
        (succeeded,) = EXECUTOR.call(program);
    }
}
