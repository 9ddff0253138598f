// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "../../contracts/interfaces/IExecutor.sol";
import {Program} from "../../contracts/libraries/Program.sol";
import {IV2Pair} from "./helpers/Protocols.sol";
import {Programs} from "./helpers/Programs.sol";
import {SilentToken} from "./helpers/Tokens.sol";
import {World} from "./helpers/World.sol";

/// @notice Every way to pay for a cycle gains exactly what the pools give. The gas of the ones that
/// bench tables know is in snapshots/Plans.json.
contract PlansTest is World {
    address internal ab; // WETH is cheap here, A dear
    address internal ba;
    address internal bb;
    address internal bc;
    address internal pool;

    function setUp() public override {
        super.setUp();
        ab = pair(v2, address(weth), DEPTH, address(a), DEPTH * 110 / 100);
        ba = pair(sushi, address(weth), DEPTH, address(a), DEPTH);
        bb = pair(v2, address(a), DEPTH, address(b), DEPTH);
        bc = pair(v2, address(b), DEPTH, address(weth), DEPTH);
        pool = poolOf(address(weth), address(a), 3000);
        warm();
        a.mint(executor, 1);
        b.mint(executor, 1);
        weth.transfer(executor, 2 * IN);
        vm.roll(block.number + 1);
        vm.warp(block.timestamp + 12);
        address[] memory accounts = new address[](8);
        uint256[] memory kinds = new uint256[](8);
        (accounts[0], accounts[1], accounts[2], accounts[3]) = (ab, ba, bb, bc);
        (accounts[4], accounts[5], accounts[6], accounts[7]) = (pool, address(a), address(b), address(weth));
        for (uint256 i = 0; i < 4; ++i) {
            kinds[i] = kindOf(accounts[i], false);
        }
        kinds[4] = kindOf(pool, true);
        setBook(accounts, kinds);
    }

    function list(Programs.Hop memory x) private pure returns (Programs.Hop[] memory hops) {
        hops = new Programs.Hop[](1);
        hops[0] = x;
    }

    function list(Programs.Hop memory x, Programs.Hop memory y)
        private
        pure
        returns (Programs.Hop[] memory hops)
    {
        hops = new Programs.Hop[](2);
        (hops[0], hops[1]) = (x, y);
    }

    function list(Programs.Hop memory x, Programs.Hop memory y, Programs.Hop memory z)
        private
        pure
        returns (Programs.Hop[] memory hops)
    {
        hops = new Programs.Hop[](3);
        (hops[0], hops[1], hops[2]) = (x, y, z);
    }

    function test_routeOwn2() public {
        (Programs.Hop memory x, Programs.Hop memory y) = twoHops(IN);
        assertEq(gain(Programs.ownRoute(IN, list(x, y)), "route A2"), y.out - IN);
    }

    function test_routeOwn3() public {
        (Programs.Hop memory x, Programs.Hop memory y, Programs.Hop memory z) = threeHops(IN);
        assertEq(gain(Programs.ownRoute(IN, list(x, y, z)), "route B3"), z.out - IN);
    }

    function test_routeLast2() public {
        (Programs.Hop memory x, Programs.Hop memory y) = twoHops(IN);
        assertEq(gain(Programs.lastRoute(ba, y.out, IN, list(x)), "route FS-last 2"), y.out - IN);
    }

    function test_routeLast3() public {
        (Programs.Hop memory x, Programs.Hop memory y, Programs.Hop memory z) = threeHops(IN);
        assertEq(gain(Programs.lastRoute(bc, z.out, IN, list(x, y)), "route FS-last 3"), z.out - IN);
    }

    function test_routeFirst2() public {
        (Programs.Hop memory x, Programs.Hop memory y) = twoHops(IN);
        bytes memory route = Programs.firstRoute(ab, x.out, IN, list(y));
        assertEq(gain(route, "route FS-first 2"), y.out - IN);
    }

    function test_routeC23() public {
        Programs.Hop memory x = v2Hop(ab, address(weth), IN);
        (, uint256 out) = v3Quote(pool, address(a), x.out);
        assertEq(gain(Programs.lastRoute(pool, out, IN, list(x)), "route C23"), out - IN);
    }

    function test_routeC32() public {
        (, uint256 out) = v3Quote(pool, address(weth), IN);
        weth.transfer(ba, DEPTH / 10);
        IV2Pair(ba).sync();
        Programs.Hop memory y = v2Hop(ba, address(a), out);
        assertEq(gain(Programs.firstRoute(pool, IN, list(y)), "route C32"), y.out - IN);
    }

    /// @dev A day of trade: no slot of a pool is written for the first time any more.
    function warm() private {
        vm.warp(block.timestamp + 12);
        for (uint256 i = 0; i < 2; ++i) {
            v3Swap(pool, address(weth), 1 ether);
            v3Swap(pool, address(a), 1 ether);
            v2Swap(ab, address(weth), 1 ether);
            v2Swap(ba, address(a), 1 ether);
            v2Swap(bb, address(a), 1 ether);
            v2Swap(bc, address(b), 1 ether);
        }
    }

    function gain(bytes memory program, string memory name) private returns (uint256) {
        uint256 before = held(address(weth));
        trade(program);
        vm.snapshotGasLastCall("Plans", name);
        assertEq(held(address(a)), 1, "A left over");
        assertEq(held(address(b)), 1, "B left over");
        return held(address(weth)) - before;
    }

    function twoHops(uint256 amount) private view returns (Programs.Hop memory x, Programs.Hop memory y) {
        x = v2Hop(ab, address(weth), amount);
        y = v2Hop(ba, address(a), x.out);
    }

    function threeHops(uint256 amount)
        private
        view
        returns (Programs.Hop memory x, Programs.Hop memory y, Programs.Hop memory z)
    {
        x = v2Hop(ab, address(weth), amount);
        y = v2Hop(bb, address(a), x.out);
        z = v2Hop(bc, address(b), y.out);
    }

    function test_ownTwoHops() public {
        (Programs.Hop memory x, Programs.Hop memory y) = twoHops(IN);
        uint256 profit = y.out - IN;
        assertEq(gain(Programs.program(profit, Programs.payChain(IN, x, y, false)), "A2"), profit);
    }

    function test_ownThreeHops() public {
        (Programs.Hop memory x, Programs.Hop memory y, Programs.Hop memory z) = threeHops(IN);
        uint256 profit = z.out - IN;
        assertEq(gain(Programs.program(profit, Programs.payChain(IN, x, y, z)), "B3"), profit);
    }

    function test_v2ThenV3Nested() public {
        Programs.Hop memory x = v2Hop(ab, address(weth), IN);
        (bool zeroForOne, uint256 out) = v3Quote(pool, address(a), x.out);
        bytes memory nested = Programs.payChain(IN, x, true);
        bytes memory steps = Programs.v3(pool, zeroForOne, x.out, Program.TO_EXECUTOR, nested);
        assertEq(gain(Programs.program(out - IN, steps), "C23"), out - IN);
    }

    function test_v3ThenV2Nested() public {
        (bool zeroForOne, uint256 out) = v3Quote(pool, address(weth), IN);
        weth.transfer(ba, DEPTH / 10);
        IV2Pair(ba).sync();
        Programs.Hop memory y = v2Hop(ba, address(a), out);
        bytes memory nested = abi.encodePacked(Programs.chain(y, false), Programs.pay(IN));
        bytes memory steps = Programs.v3(pool, zeroForOne, IN, Program.TO_NESTED_POOL, nested);
        assertEq(gain(Programs.program(y.out - IN, steps), "C32"), y.out - IN);
    }

    function test_flashLastTwoHops() public {
        (Programs.Hop memory x, Programs.Hop memory y) = twoHops(IN);
        bytes memory steps = Programs.flash(ba, y.zeroForOne, y.out, Programs.payChain(IN, x, true));
        assertEq(gain(Programs.program(y.out - IN, steps), "FS-last 2"), y.out - IN);
    }

    function test_flashLastThreeHops() public {
        (Programs.Hop memory x, Programs.Hop memory y, Programs.Hop memory z) = threeHops(IN);
        bytes memory steps = Programs.flash(bc, z.zeroForOne, z.out, Programs.payChain(IN, x, y, true));
        assertEq(gain(Programs.program(z.out - IN, steps), "FS-last 3"), z.out - IN);
    }

    function test_flashFirstTwoHops() public {
        (Programs.Hop memory x, Programs.Hop memory y) = twoHops(IN);
        uint256 profit = y.out - IN;
        bytes memory nested =
            abi.encodePacked(Programs.payChain(address(a), x.out, y, false), Programs.pay(IN));
        bytes memory steps = Programs.flash(ab, x.zeroForOne, x.out, nested);
        assertEq(gain(Programs.program(profit, address(weth), address(a), steps), "FS-first 2"), profit);
    }

    function test_balancerLoan() public {
        address vault = balancerVault();
        weth.transfer(vault, 100 ether);
        (Programs.Hop memory x, Programs.Hop memory y) = twoHops(IN);
        bytes memory nested = abi.encodePacked(Programs.payChain(IN, x, y, false), Programs.pay(IN));
        bytes memory steps = Programs.loan(Program.BALANCER_V2, vault, IN, nested);
        assertEq(gain(Programs.program(y.out - IN, steps), "Balancer"), y.out - IN);
        assertEq(weth.balanceOf(vault), 100 ether);
    }

    function test_tipAndDeadline(uint256 share) public {
        (Programs.Hop memory x, Programs.Hop memory y) = twoHops(IN);
        uint256 bid = (y.out - IN) * bound(share, 0, 100) / 100;
        bytes memory steps = abi.encodePacked(
            Programs.flash(ba, y.zeroForOne, y.out, Programs.payChain(IN, x, true)), Programs.tip(bid)
        );
        uint256 profit = y.out - IN - bid;
        uint256 before = held(address(weth));
        trade(Programs.program(profit, steps));
        assertEq(held(address(weth)) - before, profit);
        assertEq(builder.balance, bid);
        assertEq(executor.balance, 0);
    }

    /// @dev Any size: what comes in is what the pools' formula says, or the trade does not happen.
    function test_anySize(uint256 amount) public {
        amount = bound(amount, 1e9, DEPTH);
        (Programs.Hop memory x, Programs.Hop memory y) = twoHops(amount);
        bytes memory steps = Programs.flash(ba, y.zeroForOne, y.out, Programs.payChain(amount, x, true));
        bytes memory program = Programs.program(0, steps);
        uint256 before = held(address(weth));
        if (y.out < amount) vm.expectRevert();
        this.tradeOutside(program);
        uint256 gained = y.out < amount ? 0 : y.out - amount;
        assertEq(held(address(weth)) - before, gained);
    }

    function tradeOutside(bytes calldata program) external {
        trade(program);
    }

    /// @dev A cycle in another token, which returns nothing: spent because it is declared.
    function test_cycleInATokenThatReturnsNothing() public {
        SilentToken usdt = new SilentToken();
        usdt.mint(address(this), 3 * DEPTH);
        address one = silentPair(v2.createPair(address(usdt), address(a)), usdt, DEPTH, DEPTH * 110 / 100);
        address two = silentPair(sushi.createPair(address(usdt), address(a)), usdt, DEPTH, DEPTH);
        Programs.Hop memory x = v2Hop(one, address(usdt), IN);
        Programs.Hop memory y = v2Hop(two, address(a), x.out);
        bytes memory nested = Programs.payChain(address(usdt), IN, x, true);
        bytes memory steps = Programs.flash(two, y.zeroForOne, y.out, nested);
        vm.expectRevert(
            abi.encodeWithSelector(IExecutor.BelowMinimum.selector, usdt, 0, y.out - IN, y.out - IN + 1)
        );
        this.tradeOutside(Programs.program(y.out - IN + 1, address(usdt), steps));
        trade(Programs.program(y.out - IN, address(usdt), steps));
        assertEq(usdt.balanceOf(executor), y.out - IN);
    }

    function silentPair(address made, SilentToken usdt, uint256 x, uint256 y) private returns (address) {
        usdt.transfer(made, x);
        a.transfer(made, y);
        (bool success,) = made.call(abi.encodeWithSignature("mint(address)", address(this)));
        assertTrue(success);
        return made;
    }

    function test_operatorTrades() public {
        (Programs.Hop memory x, Programs.Hop memory y) = twoHops(IN);
        bytes memory steps = Programs.flash(ba, y.zeroForOne, y.out, Programs.payChain(IN, x, true));
        tradeAs(operator, Programs.program(y.out - IN, steps));
        assertEq(held(address(weth)), 2 * IN + y.out - IN);
    }

    function test_minimumIsExact() public {
        (Programs.Hop memory x, Programs.Hop memory y) = twoHops(IN);
        bytes memory steps = Programs.flash(ba, y.zeroForOne, y.out, Programs.payChain(IN, x, true));
        uint256 profit = y.out - IN;
        vm.expectRevert(
            abi.encodeWithSelector(
                IExecutor.BelowMinimum.selector, address(weth), 2 * IN, 2 * IN + profit, profit + 1
            )
        );
        this.tradeOutside(Programs.program(profit + 1, steps));
        this.tradeOutside(Programs.program(profit, steps));
    }

    function test_deadlineIsTheLastBlock() public {
        vm.expectRevert(abi.encodeWithSelector(IExecutor.Expired.selector, block.number - 1));
        this.tradeOutside(Programs.program(0, uint32(block.number - 1), 0, ""));
        this.tradeOutside(Programs.program(0, uint32(block.number), 0, ""));
    }
}
