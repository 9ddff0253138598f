// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IExecutor} from "../../contracts/interfaces/IExecutor.sol";
import {Program} from "../../contracts/libraries/Program.sol";
import {Market} from "./helpers/Market.sol";
import {AnyVenue} from "./helpers/Lenders.sol";
import {Programs} from "./helpers/Programs.sol";
import {Steps} from "./helpers/Steps.sol";

contract Shares is ERC4626 {
    constructor(address asset) ERC4626(IERC20(asset)) ERC20("Shares", "SHR") {}
}

interface IFactory {
    function create(
        string calldata name,
        string calldata symbol,
        address[] calldata tokens,
        uint256[] calldata weights,
        uint256 fee,
        address owner
    ) external returns (address);
    function getPoolId() external view returns (bytes32);
}

interface IVaultJoin {
    struct Join {
        address[] assets;
        uint256[] maxAmountsIn;
        bytes userData;
        bool fromInternalBalance;
    }

    function joinPool(bytes32 poolId, address sender, address recipient, Join calldata request)
        external
        payable;
}

/// @notice Venues without callbacks: they are called as their interfaces say, may pull what goes in and no more, and
/// nothing afterwards.
contract VenuesTest is Market {
    AnyVenue private venue;

    function setUp() public override {
        super.setUp();
        venue = new AnyVenue();
        vm.deal(address(venue), HELD);
        weth.transfer(address(venue), HELD);
        a.mint(address(venue), HELD);
    }

    // --- Curve -------------------------------------------------------------------------------------------------------

    function curve(uint256 which, address token, uint256 amount) private view returns (bytes memory) {
        return Steps.curve(address(venue), which, 0x23, token, amount, 5);
    }

    function test_curveCalls() public {
        bytes[5] memory calls = [
            abi.encodeWithSignature("exchange(int128,int128,uint256,uint256)", 2, 3, 7, 5),
            abi.encodeWithSignature("exchange(uint256,uint256,uint256,uint256)", 2, 3, 7, 5),
            abi.encodeWithSignature(
                "exchange_received(int128,int128,uint256,uint256,address)", 2, 3, 7, 5, executor
            ),
            abi.encodeWithSignature("exchange(uint256,uint256,uint256,uint256,bool)", 2, 3, 7, 5, true),
            abi.encodeWithSignature("exchange(uint256,uint256,uint256,uint256,bool)", 2, 3, 7, 5, true)
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            bytes memory step = curve(i, address(0), 7);
            if (i == 3) {
                venue.set(address(0), address(0), 7, 0);
                vm.expectRevert(abi.encodeWithSelector(IExecutor.CallFailed.selector, address(venue), ""));
                this.tradeOutside(Programs.program(0, step)); // ETH that it did not expect
                venue.set(address(0), address(weth), 7, 0);
                step = abi.encodePacked(Steps.unwrap(7), step);
            }
            trade(Programs.program(0, step));
            assertEq(venue.called(), calls[i]);
            assertEq(venue.value(), i == 3 ? 7 : 0);
            assertEq(allowanceOf(address(weth), address(venue)), 0);
            venue.set(address(0), address(0), 0, 0);
        }
        assertUntouched();
    }

    function test_curveUnknown(uint8 which) public {
        which = uint8(bound(which, 5, 255));
        refused(
            Programs.program(0, curve(which, address(0), 7)),
            abi.encodeWithSelector(IExecutor.UnknownStep.selector, uint256(which))
        );
    }

    /// @dev WETH in, a token out, and the other way round: exactly what was to go in may be pulled.
    function test_curveSwaps() public {
        for (uint256 i = 0; i < 2; ++i) {
            venue.set(address(weth), address(a), 9 ether, 100);
            trade(
                Programs.program(
                    2 ether,
                    address(a),
                    abi.encodePacked(curve(i, address(0), 8 ether), back(address(a), 7 ether))
                )
            );
            assertEq(held(address(a)), HELD + 2 ether);
            vm.prank(executor);
            a.transfer(address(venue), 2 ether);
            assertUntouched();
        }
    }

    /// @dev Sells `amount` of A for 8 WETH, in another venue.
    function back(address token, uint256 amount) private returns (bytes memory) {
        AnyVenue other = new AnyVenue();
        weth.transfer(address(other), 8 ether);
        other.set(token, address(weth), 8 ether, 100);
        return Steps.curve(address(other), 1, 0, token, amount, 0);
    }

    function test_curveGivesEth() public {
        venue.set(address(weth), address(0), 9 ether, 100);
        bytes memory step = curve(4, address(0), 8 ether);
        trade(Programs.program(1 ether, abi.encodePacked(step, Steps.wrap(9 ether))));
        assertEq(held(address(weth)), HELD + 1 ether);
        assertEq(executor.balance, HELD);
    }

    /// @dev Only where it is told to does a pool of Curve give ETH.
    function test_curveGivesEthUnexpected() public {
        venue.set(address(weth), address(0), 9 ether, 100);
        stopped(Programs.program(0, curve(1, address(0), 8 ether)));
        stopped(Programs.program(0, curve(0, address(0), 8 ether)));
        stopped(Programs.program(0, curve(2, address(0), 8 ether)));
    }

    // --- Balancer ----------------------------------------------------------------------------------------------------

    /// @dev A pool of 2021 in the real Vault: 1000 WETH and 1100 of a token, of equal weights, without a fee to speak of.
    function weightedPool(address token) private returns (bytes32 poolId) {
        IFactory factory = IFactory(
            create(
                "@balancer-labs/v2-deployments/dist/tasks/20210418-weighted-pool/bytecode/WeightedPoolFactory.json",
                abi.encode(vault)
            )
        );
        bool first = token < address(weth);
        address[] memory tokens = new address[](2);
        uint256[] memory amounts = new uint256[](2);
        uint256[] memory weights = new uint256[](2);
        (tokens[0], tokens[1]) = first ? (token, address(weth)) : (address(weth), token);
        (amounts[0], amounts[1]) = first ? (1100 ether, 1000 ether) : (uint256(1000 ether), 1100 ether);
        (weights[0], weights[1]) = (0.5 ether, 0.5 ether);
        poolId = IFactory(factory.create("P", "P", tokens, weights, 1e12, owner)).getPoolId();
        IERC20(token).approve(vault, 1100 ether);
        IERC20(address(weth)).approve(vault, 1000 ether);
        IVaultJoin.Join memory join = IVaultJoin.Join(tokens, amounts, abi.encode(0, amounts), false);
        IVaultJoin(vault).joinPool(poolId, address(this), address(this), join);
    }

    function test_balancerSwaps() public {
        for (uint256 i = 0; i < 2; ++i) {
            address token = address(sides[i].token);
            bytes32 poolId = weightedPool(token);
            bytes memory buy = Steps.balancerSwap(vault, poolId, address(0), token, IN, 5.4 ether);
            bytes memory dear = Steps.balancerSwap(vault, poolId, address(0), token, IN, 5.5 ether);
            bytes memory sell = Steps.balancerSwap(vault, poolId, token, address(weth), 5.4 ether, 4.9 ether);
            uint256 snapshot = vm.snapshotState();
            stopped(Programs.program(0, token, abi.encodePacked(dear, sell, topUp(IN))));
            trade(Programs.program(0, token, abi.encodePacked(buy, sell, topUp(IN))));
            assertGt(held(token), HELD + 0.06 ether);
            assertGt(held(address(weth)), HELD + 4.9 ether);
            assertEq(allowanceOf(address(weth), vault), 0);
            assertEq(allowanceOf(token, vault), 0);
            vm.revertToState(snapshot);
        }
    }

    /// @dev Someone gives the executor some WETH, so that a losing trade is none.
    function topUp(uint256 amount) private returns (bytes memory) {
        AnyVenue giver = new AnyVenue();
        weth.transfer(address(giver), amount);
        giver.set(address(0), address(weth), amount, 0);
        return Steps.curve(address(giver), 2, 0, address(0), 0, 0);
    }

    // --- tokenised vaults --------------------------------------------------------------------------------------------

    function test_vaults() public {
        Shares shares = new Shares(address(weth));
        trade(
            Programs.program(
                0, abi.encodePacked(Steps.deposit(address(shares), address(0), 3 ether), topUp(3 ether))
            )
        );
        assertEq(shares.balanceOf(executor), 3 ether);
        assertEq(allowanceOf(address(weth), address(shares)), 0);
        bytes memory redeem = Steps.redeem(address(shares), 2 ether);
        bytes memory deposit = Steps.deposit(address(shares), address(0), 2 ether);
        trade(Programs.program(0, address(shares), abi.encodePacked(redeem, deposit)));
        assertEq(shares.balanceOf(executor), 3 ether);
        refused(
            Programs.program(0, address(shares), redeem),
            abi.encodeWithSelector(IExecutor.BelowMinimum.selector, shares, 3 ether, 1 ether, 0)
        );
        assertUntouched();
    }

    function test_vaultOfAToken() public {
        Shares shares = new Shares(address(a));
        bytes memory deposit = Steps.deposit(address(shares), address(a), 3 ether);
        bytes memory redeem = Steps.redeem(address(shares), 3 ether);
        trade(Programs.program(0, address(a), address(shares), abi.encodePacked(deposit, redeem)));
        assertEq(shares.balanceOf(executor), 0);
        assertEq(allowanceOf(address(a), address(shares)), 0);
        refused(Programs.program(0, address(a), deposit), below(address(a), HELD - 3 ether));
        assertUntouched();
    }

    // --- WIDE --------------------------------------------------------------------------------------------------------

    function test_wide() public {
        bytes memory step = abi.encodePacked(
            uint8(Program.CURVE | Program.WIDE),
            Programs.account(address(venue)),
            uint8(1),
            uint8(0x10),
            uint128(7),
            uint128(5)
        );
        trade(Programs.program(0, step));
        assertEq(
            venue.called(), abi.encodeWithSignature("exchange(uint256,uint256,uint256,uint256)", 1, 0, 7, 5)
        );
        step = abi.encodePacked(uint8(Program.WRAP | Program.UNWRAP | Program.WIDE), uint128(7));
        step = abi.encodePacked(step, uint8(Program.WRAP | Program.WIDE), uint128(7));
        trade(Programs.program(0, step));
        assertUntouched();
    }
}
