// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExecutor} from "../../contracts/interfaces/IExecutor.sol";
import {Program} from "../../contracts/libraries/Program.sol";
import {AnyLender} from "./helpers/Lenders.sol";
import {Market} from "./helpers/Market.sol";
import {Programs} from "./helpers/Programs.sol";
import {Steps} from "./helpers/Steps.sol";
import {PlainToken} from "./helpers/Tokens.sol";

struct MarketParams {
    address loanToken;
    address collateralToken;
    address oracle;
    address irm;
    uint256 lltv;
}

/// @notice What the tests call on the real Morpho Blue.
interface IMorphoBlue {
    function enableIrm(address irm) external;
    function enableLltv(uint256 lltv) external;
    function createMarket(MarketParams calldata market) external;
    function supply(
        MarketParams calldata market,
        uint256 assets,
        uint256 shares,
        address who,
        bytes calldata data
    ) external returns (uint256, uint256);
    function supplyCollateral(MarketParams calldata market, uint256 assets, address who, bytes calldata data)
        external;
    function borrow(MarketParams calldata market, uint256 assets, uint256 shares, address who, address to)
        external
        returns (uint256, uint256);
}

/// @notice A price that anyone sets.
contract Oracle {
    uint256 public price = 1e36;

    function setPrice(uint256 price_) external {
        price = price_;
    }
}

/// @notice Liquidations: the debt is pulled, and no more; the collateral comes; and no allowance is left.
contract LiquidationsTest is Market {
    uint64 private constant LLTV = 0.8e18;

    Oracle private oracle;
    PlainToken private collateral;

    function setUp() public override {
        super.setUp();
        oracle = new Oracle();
        collateral = sides[1].token;
        vm.startPrank(owner);
        IMorphoBlue(morpho).enableIrm(address(0));
        IMorphoBlue(morpho).enableLltv(LLTV);
        vm.stopPrank();
    }

    /// @dev Someone who owes 79 of `debt` on 100 of the collateral, which then is worth 95.
    function unhealthy(address debt) private returns (Steps.Market memory) {
        MarketParams memory market =
            MarketParams(debt, address(collateral), address(oracle), address(0), LLTV);
        IMorphoBlue blue = IMorphoBlue(morpho);
        blue.createMarket(market);
        PlainToken(debt).approve(morpho, 1000 ether);
        blue.supply(market, 1000 ether, 0, address(this), "");
        collateral.transfer(stranger, 100 ether);
        vm.startPrank(stranger);
        collateral.approve(morpho, 100 ether);
        blue.supplyCollateral(market, 100 ether, stranger, "");
        blue.borrow(market, 79 ether, 0, stranger, stranger);
        vm.stopPrank();
        oracle.setPrice(0.95e36);
        address named = debt == address(weth) ? address(0) : debt;
        return Steps.Market(morpho, named, address(collateral), address(oracle), address(0), LLTV);
    }

    /// @dev Without any capital: the collateral is sold before the debt is pulled. By what is seized, and by shares.
    function test_morpho() public {
        Steps.Market memory market = unhealthy(address(weth));
        address dear = entries[sides[1].dear];
        weth.transfer(dear, DEPTH / 10);
        vm.prank(executor);
        weth.transfer(address(this), HELD);
        (bool synced,) = dear.call(abi.encodeWithSignature("sync()"));
        assertTrue(synced);
        Programs.Hop memory sell = v2Hop(dear, address(collateral), 10 ether);
        bytes memory nested = Programs.payChain(address(collateral), 10 ether, sell, false);
        bytes memory step = Steps.liquidateMorpho(market, stranger, 10 ether, 0, 9.5 ether, nested);
        trade(Programs.program(0, address(collateral), step));
        assertGt(held(address(weth)), 1 ether);
        assertLt(held(address(weth)), sell.out);
        assertEq(held(address(collateral)), HELD);
        assertEq(allowanceOf(address(weth), morpho), 0);
        uint256 before = held(address(weth));
        bytes memory byShares =
            Steps.liquidateMorpho(market, stranger, 0, 1 ether * 1e6, 2 ether, sellAll(dear));
        trade(Programs.program(1, address(collateral), byShares));
        assertGt(held(address(weth)), before);
        assertGt(held(address(collateral)), HELD);
        assertEq(allowanceOf(address(weth), morpho), 0);
    }

    function sellAll(address dear) private view returns (bytes memory) {
        return Programs.payChain(
            address(collateral), 1.05 ether, v2Hop(dear, address(collateral), 1.05 ether), false
        );
    }

    function test_morphoPullsNoMore() public {
        Steps.Market memory market = unhealthy(address(weth));
        bytes memory step = Steps.liquidateMorpho(market, stranger, 10 ether, 0, 8 ether, nothing());
        stopped(Programs.program(0, step));
        assertEq(allowanceOf(address(weth), morpho), 0);
    }

    /// @dev In a debt that is declared; the profit is in the collateral, the debt comes out of what there is.
    function test_morphoInAToken() public {
        Steps.Market memory market = unhealthy(address(a));
        bytes memory step = Steps.liquidateMorpho(market, stranger, 10 ether, 0, 50 ether, nothing());
        refused(Programs.program(0, step), undeclared(address(a)));
        stopped(Programs.program(0, address(a), step));
        assertEq(allowanceOf(address(a), morpho), 0);
        a.mint(address(aave), 20 ether);
        bytes memory loan = Steps.loan(
            Program.BALANCER_V2,
            vault,
            address(collateral),
            1,
            0,
            abi.encodePacked(Programs.pay(address(collateral), 1))
        );
        collateral.transfer(vault, 1);
        trade(Programs.program(0, address(collateral), loan));
        assertKept();
    }

    // --- Aave and Compound, as far as they matter here ---------------------------------------------------------------

    function setLender(uint256 percent) private {
        aave.setPulled(percent);
        a.mint(address(aave), DEPTH);
    }

    /// @dev What was seized is paid for again: a trade that ends with what there was.
    function withWeth(bytes memory step) private returns (bytes memory) {
        AnyLender giver = new AnyLender();
        weth.transfer(address(giver), HELD);
        giver.setPulled(0);
        return abi.encodePacked(
            step, Steps.liquidateAave(address(giver), address(0), address(weth), stranger, 10 ether)
        );
    }

    function test_aave() public {
        setLender(100);
        bytes memory step = Steps.liquidateAave(address(aave), address(0), address(a), stranger, 10 ether);
        refused(Programs.program(0, step), below(address(weth), HELD - 10 ether));
        trade(Programs.program(0.5 ether, withWeth(step)));
        assertEq(held(address(a)), HELD + 10.5 ether);
        assertEq(allowanceOf(address(weth), address(aave)), 0);
        bytes memory inA = Steps.liquidateAave(address(aave), address(a), address(weth), stranger, 3 ether);
        refusedNow(Programs.program(0, inA), undeclared(address(a)));
    }

    function refusedNow(bytes memory program, bytes memory reason) private {
        vm.expectRevert(reason);
        this.tradeOutside(program);
    }

    function test_compound() public {
        setLender(100);
        aave.setCompound(address(weth), 0);
        bytes memory step = Steps.liquidateCompound(address(aave), address(0), stranger, address(a), 10 ether);
        refused(Programs.program(0, step), below(address(weth), HELD - 10 ether));
        aave.setCompound(address(weth), 3);
        refused(
            Programs.program(0, step), abi.encodeWithSelector(IExecutor.Refused.selector, aave, uint256(3))
        );
        aave.setCompound(address(weth), 0);
        trade(Programs.program(0.5 ether, withWeth(step)));
        assertEq(held(address(a)), HELD + 10.5 ether);
        assertEq(allowanceOf(address(weth), address(aave)), 0);
    }

    function test_compoundThatIsSilent() public {
        address nobody = makeAddr("nobody");
        bytes memory step = Steps.liquidateCompound(nobody, address(0), stranger, address(a), 0);
        refused(
            Programs.program(0, step),
            abi.encodeWithSelector(IExecutor.Refused.selector, nobody, type(uint256).max)
        );
    }

    /// @dev A cToken of ETH sends ETH when it is redeemed, and may not at any other time.
    function test_compoundRedeemsEth() public {
        EthCToken cToken = new EthCToken{value: 1 ether}(executor);
        bytes memory redeem = Steps.redeemCompound(address(cToken), 0.5 ether);
        trade(Programs.program(0.5 ether, address(cToken), redeem));
        assertEq(executor.balance, HELD + 0.5 ether);
        bytes memory again = abi.encodePacked(redeem, Steps.curve(address(cToken), 2, 0, address(0), 0, 0));
        vm.expectRevert(failed(address(cToken), "not sent"));
        this.tradeOutside(Programs.program(0, address(cToken), again));
    }

    function test_compoundRedeems() public {
        CToken cToken = new CToken(a);
        a.mint(address(cToken), DEPTH);
        cToken.mint(executor, 10 ether);
        bytes memory step = Steps.redeemCompound(address(cToken), 10 ether);
        refused(Programs.program(0, step), undeclared(address(cToken)));
        refused(
            Programs.program(0, address(cToken), step),
            abi.encodeWithSelector(IExecutor.BelowMinimum.selector, cToken, 10 ether, 0, 0)
        );
        cToken.setCode(9);
        refused(
            Programs.program(0, address(cToken), step),
            abi.encodeWithSelector(IExecutor.Refused.selector, cToken, uint256(9))
        );
        cToken.setCode(0);
        aave.setPulled(0);
        aave.setCompound(address(weth), 0);
        cToken.mint(address(aave), 10.5 ether);
        bytes memory seize =
            Steps.liquidateCompound(address(aave), address(0), stranger, address(cToken), 10 ether);
        trade(Programs.program(0, address(cToken), abi.encodePacked(seize, step)));
        assertEq(cToken.balanceOf(executor), 10.5 ether);
        assertEq(held(address(a)), HELD + 10 ether);
    }
}

/// @notice A cToken at a rate of 1, which fails with a code.
contract CToken is PlainToken {
    PlainToken private immutable UNDERLYING;
    uint256 private code;

    constructor(PlainToken underlying) {
        UNDERLYING = underlying;
    }

    function setCode(uint256 code_) external {
        code = code_;
    }

    function redeem(uint256 amount) external returns (uint256) {
        if (code != 0) return code;
        _burn(msg.sender, amount);
        UNDERLYING.transfer(msg.sender, amount);
        return 0;
    }
}

/// @notice A cToken of ETH, which says that more and more of it is there.
contract EthCToken {
    address private immutable EXECUTOR;
    uint256 private redeemed;

    constructor(address executor) payable {
        EXECUTOR = executor;
    }

    function balanceOf(address) external view returns (uint256) {
        return redeemed;
    }

    function redeem(uint256 amount) external returns (uint256) {
        redeemed += amount;
        send(amount);
        return 0;
    }

    fallback() external {
        send(1);
    }

    function send(uint256 amount) private {
        (bool success,) = EXECUTOR.call{value: amount}("");
        bytes memory reason = "not sent";
        if (success) return;
        assembly {
            revert(add(reason, 0x20), mload(reason))
        }
    }
}
