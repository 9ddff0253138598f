// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "../../contracts/interfaces/IExecutor.sol";
import {Program} from "../../contracts/libraries/Program.sol";
import {Accomplice, EvilPool} from "./helpers/Evil.sol";
import {AnyLender, AnyVenue} from "./helpers/Lenders.sol";
import {Market} from "./helpers/Market.sol";
import {Programs} from "./helpers/Programs.sol";
import {Steps} from "./helpers/Steps.sol";
import {PlainToken} from "./helpers/Tokens.sol";

/// @notice What steps may spend: WETH and declared tokens, of which there is no less at the end; no ETH; and nothing
/// afterwards, since no allowance outlives its step.
contract SpendingTest is Market {
    AnyLender private patient; // a lender, a liquidated market, that pulls nothing yet
    AnyVenue private venue;

    function setUp() public override {
        super.setUp();
        patient = new AnyLender();
        patient.setPulled(0);
        venue = new AnyVenue();
        venue.set(address(weth), address(0), 0, 0);
    }

    // --- undeclared tokens -------------------------------------------------------------------------------------------

    /// @dev Every step that spends, of token `t`.
    function spenders(address t) private view returns (bytes[] memory steps) {
        Steps.Market memory market = Steps.Market(address(patient), t, address(b), address(b), address(b), 1);
        steps = new bytes[](14);
        steps[0] = Programs.payChain(t, 1 ether, Programs.Hop(stranger, true, 1), false);
        steps[1] = Programs.payTo(t, stranger, 1 ether);
        steps[2] = Programs.pay(t, 1 ether);
        steps[3] = Steps.loan(Program.MORPHO, address(patient), t, 0, 0, nothing());
        steps[4] = Steps.loan(Program.BALANCER_V2, address(patient), t, 0, 0, nothing());
        steps[5] = Steps.loan(Program.AAVE_V3, address(patient), t, 0, 1 ether, nothing());
        steps[6] = Steps.loan(Program.ERC3156, address(patient), t, 0, 1 ether, nothing());
        steps[7] = Steps.settle(t, 1 ether);
        steps[8] = Steps.curve(address(venue), 0, 0, t, 1 ether, 0);
        steps[9] = Steps.balancerSwap(address(venue), bytes32(0), t, address(b), 1 ether, 0);
        steps[10] = Steps.deposit(address(venue), t, 1 ether);
        steps[11] = Steps.liquidateAave(address(venue), t, address(b), stranger, 1 ether);
        steps[12] = Steps.liquidateMorpho(market, stranger, 0, 0, 1 ether, nothing());
        steps[13] = Steps.liquidateCompound(address(venue), t, stranger, address(b), 1 ether);
    }

    function test_undeclared() public {
        bytes[] memory steps = spenders(address(a));
        for (uint256 i = 0; i < steps.length; ++i) {
            refused(Programs.program(0, steps[i]), undeclared(address(a)));
            refused(Programs.program(0, address(b), steps[i]), undeclared(address(a)));
            refused(Programs.program(0, address(weth), address(b), steps[i]), undeclared(address(a)));
            vm.prank(operator);
            (bool success, bytes memory answer) = executor.call(Programs.program(0, steps[i]));
            assertFalse(success);
            assertEq(answer, undeclared(address(a)));
        }
        refused(Programs.program(0, Steps.redeem(address(a), 1)), undeclared(address(a)));
        refused(Programs.program(0, Steps.redeemCompound(address(a), 1)), undeclared(address(a)));
    }

    /// @dev The same in a callback, where the marks of the program still hold, and no others.
    function test_undeclaredInCallbacks() public {
        bytes[] memory steps = spenders(address(a));
        for (uint256 i = 0; i < steps.length; ++i) {
            evil = new EvilPool(executor);
            evil.add(address(0), v3Callback(steps[i]), 0);
            refused(Programs.program(0, evilSwap(steps[i])), missing(address(evil)));
            assertEq(evil.done(), 0);
        }
        bytes memory nested = Programs.payTo(address(a), executor, 1);
        evil = new EvilPool(executor);
        evil.add(address(0), v3Callback(nested), 0);
        trade(Programs.program(0, address(a), evilSwap(nested)));
        assertTrue(evil.succeeded(0));
        assertUntouched();
    }

    /// @dev Up to seven tokens are declared, in any order; each is watched.
    function test_everyDeclaredTokenIsWatched(uint256 which, uint256 count) public {
        count = bound(count, 1, 7);
        which = bound(which, 0, count - 1);
        bytes memory tokens;
        address taken;
        for (uint256 i = 0; i < count; ++i) {
            PlainToken token = new PlainToken();
            token.mint(executor, HELD);
            tokens = abi.encodePacked(tokens, Programs.account(address(token)));
            if (i == which) taken = address(token);
        }
        bytes memory head = abi.encodePacked(uint8(12 | Program.TERMS), uint8(count), uint96(0), tokens);
        refused(abi.encodePacked(head, Programs.payTo(taken, stranger, 1)), below(taken, HELD - 1));
        trade(abi.encodePacked(head, Programs.payTo(taken, executor, 1)));
    }

    /// @dev The minimum is of the first token that is declared, and of WETH only without any.
    function test_minimumIsOfTheFirst() public {
        bytes memory none = "";
        refused(
            Programs.program(1, address(a), address(weth), none),
            abi.encodeWithSelector(IExecutor.BelowMinimum.selector, a, HELD, HELD, 1)
        );
        refused(
            Programs.program(1, address(weth), address(a), none),
            abi.encodeWithSelector(IExecutor.BelowMinimum.selector, weth, HELD, HELD, 1)
        );
        refused(
            Programs.program(1, none),
            abi.encodeWithSelector(IExecutor.BelowMinimum.selector, weth, HELD, HELD, 1)
        );
        trade(Programs.program(0, address(a), address(weth), none));
    }

    function test_declaredTwice() public {
        refused(Programs.program(0, address(a), address(a), ""), undeclared(address(a)));
    }

    /// @dev A declared token whose balance cannot be told, or is all there can be.
    function test_notAToken() public {
        NoBalance liar = new NoBalance();
        address[3] memory accounts = [makeAddr("nobody"), address(evil), address(liar)];
        for (uint256 i = 0; i < 3; ++i) {
            refused(
                Programs.program(0, accounts[i], ""),
                abi.encodeWithSelector(IExecutor.NotAToken.selector, accounts[i])
            );
        }
        liar.set(1);
        liar.setSize(31); // a byte short of a number
        refused(
            Programs.program(0, address(liar), ""), abi.encodeWithSelector(IExecutor.NotAToken.selector, liar)
        );
        liar.setSize(33);
        trade(Programs.program(0, address(liar), ""));
        liar.setSize(32);
        liar.set(type(uint256).max - 1);
        trade(Programs.program(0, address(liar), ""));
        liar.set(0);
        trade(Programs.program(0, address(liar), ""));
    }

    /// @dev A token that does not tell what may be pulled of it is lent to nobody.
    function test_noAllowanceToTell() public {
        NoBalance liar = new NoBalance();
        liar.set(1);
        refused(
            Programs.program(0, address(liar), Steps.deposit(address(venue), address(liar), 1)),
            abi.encodeWithSelector(IExecutor.NotAToken.selector, liar)
        );
    }

    // --- allowances --------------------------------------------------------------------------------------------------

    /// @dev All that is allowed is 100 WETH; of that, `pulled` percent are pulled, and given back by another venue.
    function test_noAllowanceIsLeft(uint256 pulled) public {
        pulled = bound(pulled, 0, 100);
        bytes[] memory steps = allowances(address(0));
        for (uint256 i = 0; i < steps.length; ++i) {
            keepsNothing(steps[i], address(weth), i < 5 ? address(patient) : address(venue), pulled);
        }
        steps = allowances(address(a));
        for (uint256 i = 0; i < steps.length; ++i) {
            keepsNothing(steps[i], address(a), i < 5 ? address(patient) : address(venue), pulled);
        }
    }

    function allowances(address t) private view returns (bytes[] memory steps) {
        address lender = address(patient);
        address pool = address(venue);
        Steps.Market memory market = Steps.Market(lender, t, address(b), address(b), address(b), 1);
        steps = new bytes[](10);
        steps[0] = Steps.loan(Program.MORPHO, lender, t, HELD, 0, nothing());
        steps[1] = Steps.loan(Program.AAVE_V3, lender, t, HELD, HELD, nothing());
        steps[2] = Steps.loan(Program.ERC3156, lender, t, HELD, HELD, nothing());
        steps[3] = Steps.liquidateMorpho(market, stranger, 0, 0, HELD, nothing());
        steps[4] = Steps.liquidateAave(lender, t, address(b), stranger, HELD);
        steps[5] = Steps.curve(pool, 0, 0, t, HELD, 0);
        steps[6] = Steps.curve(pool, 4, 0, t, HELD, 0);
        steps[7] = Steps.balancerSwap(pool, bytes32(0), t, address(b), HELD, 0);
        steps[8] = Steps.deposit(pool, t, HELD);
        steps[9] = Steps.liquidateAave(pool, t, address(b), stranger, HELD);
    }

    function keepsNothing(bytes memory step, address token, address thief, uint256 pulled) private {
        uint256 snapshot = vm.snapshotState();
        PlainToken(token).transfer(address(patient), HELD);
        b.mint(address(patient), 2 * HELD);
        patient.setPulled(pulled);
        venue.set(token, address(0), 0, pulled);
        AnyVenue giver = new AnyVenue();
        PlainToken(token).transfer(address(giver), HELD);
        giver.set(address(0), token, HELD, 0);
        bytes memory steps = abi.encodePacked(step, Steps.curve(address(giver), 2, 0, address(0), 0, 0));
        tradeAs(operator, Programs.program(0, token, steps));
        assertEq(allowanceOf(token, thief), 0);
        assertFalse(patient.steal(token, executor, 1));
        assertGe(held(token), HELD);
        vm.revertToState(snapshot);
    }

    /// @dev The one who is liquidated answers for every token that nothing may be pulled any more.
    function test_thePatientThief() public {
        Steps.Market memory market =
            Steps.Market(address(patient), address(0), address(b), address(b), address(b), 1);
        tradeAs(operator, Programs.program(0, Steps.liquidateMorpho(market, stranger, 0, 0, HELD, nothing())));
        assertFalse(patient.steal(address(weth), executor, 1));
        assertKept();
    }

    // --- ETH ---------------------------------------------------------------------------------------------------------

    function ethSpent(uint256 atEnd) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IExecutor.EthSpent.selector, HELD, atEnd);
    }

    /// @dev The ETH that lies there is nobody's to spend, on whatever terms.
    function test_noStepSpendsEth(uint256 amount) public {
        amount = bound(amount, 1, HELD);
        venue.set(address(0), address(0), 0, 0);
        evil.add(address(0), v3Callback(Steps.settle(address(0), amount)), 0);
        bytes[3] memory steps = [
            Steps.wrap(amount),
            Steps.curve(address(venue), 3, 0, address(0), amount, 0),
            Steps.settle(address(0), amount)
        ];
        for (uint256 i = 0; i < 2; ++i) {
            refused(Programs.program(0, steps[i]), ethSpent(HELD - amount));
            refused(Programs.program(0, address(a), steps[i]), ethSpent(HELD - amount));
            refused(Programs.program(0, uint32(block.number), 0, steps[i]), ethSpent(HELD - amount));
        }
        EthTaker taker = new EthTaker();
        makeOperator(address(taker));
        vm.expectRevert(ethSpent(HELD - amount)); // the caller of a settle is the manager
        taker.run(executor, Programs.program(0, steps[2]));
        assertUntouched();
    }

    /// @dev What was unwrapped is spent, but not a wei more.
    function test_unwrappedEthIsSpent() public {
        venue.set(address(0), address(0), 0, 0);
        bytes memory step = Steps.curve(address(venue), 3, 0, address(0), 5, 0);
        refused(Programs.program(0, abi.encodePacked(Steps.unwrap(5), step)), below(address(weth), HELD - 5));
        refused(Programs.program(0, abi.encodePacked(Steps.unwrap(4), step)), below(address(weth), HELD - 4));
        refused(Programs.program(0, abi.encodePacked(Steps.unwrap(4), Steps.wrap(5))), ethSpent(HELD - 1));
        trade(Programs.program(0, abi.encodePacked(Steps.unwrap(5), Steps.wrap(5))));
        assertUntouched();
    }

    /// @dev While a pool's ETH is expected nobody else's is taken; and the pool's not before or after.
    function test_ethFromTheExpectedOnly() public {
        PayingPool pool = new PayingPool{value: 10}();
        PayingFriend friend = new PayingFriend{value: 10}();
        pool.set(executor, friend);
        venue.set(address(0), address(0), 0, 0);
        trade(Programs.program(0, Steps.curve(address(pool), 4, 0, address(0), 0, 0)));
        assertTrue(pool.paid());
        assertFalse(pool.friendPaid());
        trade(Programs.program(0, Steps.curve(address(pool), 1, 0, address(0), 0, 0)));
        assertFalse(pool.paid());
        assertFalse(pool.friendPaid());
        bytes memory later = abi.encodePacked(
            Steps.curve(address(venue), 4, 0, address(0), 0, 0),
            Steps.curve(address(pool), 1, 0, address(0), 0, 0)
        );
        trade(Programs.program(0, later));
        assertFalse(pool.paid());
        bytes memory twice = abi.encodePacked(
            Steps.curve(address(pool), 4, 0, address(0), 0, 0),
            Steps.curve(address(pool), 1, 0, address(0), 0, 0)
        );
        trade(Programs.program(0, twice));
        assertFalse(pool.paid());
        assertEq(executor.balance, HELD + 2);
    }

    /// @dev In one transaction: what one program expected, the next does not.
    function test_ethExpectationsEnd() public {
        PayingPool pool = new PayingPool{value: 10}();
        EthTaker taker = new EthTaker();
        makeOperator(address(taker));
        pool.set(executor, new PayingFriend());
        taker.runThen(
            executor, Programs.program(0, Steps.curve(address(pool), 4, 0, address(0), 0, 0)), address(pool)
        );
        assertFalse(pool.paid());
        assertEq(executor.balance, HELD + 1);
    }

    /// @dev With data, even the expected one's ETH is refused; and with none, an operator's or the owner's.
    function test_ethWithData() public {
        hoax(operator, 1 ether);
        (bool success, bytes memory answer) = executor.call{value: 1}("");
        assertFalse(success);
        assertEq(answer, abi.encodeWithSelector(IExecutor.EthRefused.selector, operator));
        vm.deal(address(weth), address(weth).balance + 1);
        vm.prank(address(weth));
        (success, answer) = executor.call{value: 1}(hex"00");
        assertFalse(success);
        assertEq(answer, abi.encodeWithSelector(IExecutor.EthRefused.selector, weth));
        assertUntouched();
    }

    // --- tips --------------------------------------------------------------------------------------------------------

    function test_builderThatRefuses() public {
        vm.coinbase(payable(address(evil)));
        stopped(Programs.program(0, Programs.tip(1)));
        Accomplice other = new Accomplice();
        vm.coinbase(payable(address(other)));
        refused(Programs.program(0, Programs.tip(1)), failed(address(other), ""));
    }
}

/// @notice A balance that is whatever it says.
contract NoBalance {
    uint256 private balance = type(uint256).max;
    uint256 private size = 32;

    function setSize(uint256 size_) external {
        size = size_;
    }

    function set(uint256 balance_) external {
        balance = balance_;
    }

    function balanceOf(address) external view returns (uint256) {
        (uint256 word, uint256 length) = (balance, size);
        assembly {
            mstore(0, word)
            return(0, length)
        }
    }

    /// @dev Nobody may pull anything, in a byte too few.
    function allowance(address, address) external pure {
        assembly {
            mstore(0, 0)
            return(0, 31)
        }
    }

    function approve(address, uint256) external pure returns (bool) {
        return true;
    }
}

/// @notice An operator to whom v4's steps speak as to the manager, and who takes what comes.
contract EthTaker {
    receive() external payable {}

    function settle() external payable returns (uint256) {
        return msg.value;
    }

    function run(address executor, bytes calldata program) public {
        (bool success, bytes memory answer) = executor.call(program);
        if (!success) {
            assembly {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }

    function runThen(address executor, bytes calldata program, address pool) external {
        run(executor, program);
        PayingPool(payable(pool)).act();
    }
}

/// @notice Pays ETH when asked by another.
contract PayingFriend {
    constructor() payable {}

    function pay(address to) external returns (bool success) {
        (success,) = to.call{value: address(this).balance == 0 ? 0 : 1}("");
    }
}

/// @notice A pool of Curve that pays a wei of ETH for nothing, after a friend has tried to.
contract PayingPool {
    address private executor;
    PayingFriend private friend;
    bool public paid;
    bool public friendPaid;

    constructor() payable {}

    function set(address executor_, PayingFriend friend_) external {
        (executor, friend) = (executor_, friend_);
    }

    function act() public {
        friendPaid = friend.pay(executor);
        (paid,) = executor.call{value: 1}("");
    }

    fallback() external payable {
        act();
    }

    receive() external payable {}
}
