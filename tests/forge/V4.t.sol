// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IUniswapV4Manager} from "../../contracts/interfaces/IUniswapV4Manager.sol";
import {IExecutor} from "../../contracts/interfaces/IExecutor.sol";
import {Program} from "../../contracts/libraries/Program.sol";
import {Market} from "./helpers/Market.sol";
import {Programs} from "./helpers/Programs.sol";
import {Routes} from "./helpers/Routes.sol";
import {Steps} from "./helpers/Steps.sol";
import {PlainToken} from "./helpers/Tokens.sol";

interface IManager {
    struct Change {
        int24 tickLower;
        int24 tickUpper;
        int256 liquidity;
        bytes32 salt;
    }

    function initialize(IUniswapV4Manager.PoolKey calldata key, uint160 price) external returns (int24);
    function modifyLiquidity(
        IUniswapV4Manager.PoolKey calldata key,
        Change calldata change,
        bytes calldata data
    ) external returns (int256, int256);
    function unlock(bytes calldata data) external returns (bytes memory);
    function sync(address currency) external;
    function settle() external payable returns (uint256);
    function take(address currency, address to, uint256 amount) external;
}

/// @notice The steps of Uniswap v4 on the real manager: with WETH, with ETH, and what it refuses.
contract V4Test is Market {
    uint24 private constant FEE = 500;
    uint24 private constant SPACING = 10;

    PlainToken private token;

    function setUp() public override {
        super.setUp();
        token = sides[0].token;
        open(address(weth), address(token));
        open(address(0), address(token));
    }

    /// @dev A pool whose price is 1, deep around it.
    function open(address currency0, address currency1) private {
        IUniswapV4Manager.PoolKey memory key =
            IUniswapV4Manager.PoolKey(currency0, currency1, FEE, int24(SPACING), address(0));
        IManager(manager).initialize(key, EVEN);
        IManager(manager).unlock(abi.encode(key, 0, false));
    }

    /// @dev The test itself puts in liquidity, and pays for it.
    function unlockCallback(bytes calldata data) external returns (bytes memory) {
        (IUniswapV4Manager.PoolKey memory key, uint256 amount, bool zeroForOne) =
            abi.decode(data, (IUniswapV4Manager.PoolKey, uint256, bool));
        if (amount != 0) undoneSwap(key, amount, zeroForOne);
        (int256 delta,) =
            IManager(manager).modifyLiquidity(key, IManager.Change(-6000, 6000, int256(4 * DEPTH), 0), "");
        give(key.currency0, uint128(-int128(delta >> 128)));
        give(key.currency1, uint128(-int128(delta)));
        return "";
    }

    function give(address currency, uint256 amount) private {
        IManager(manager).sync(currency);
        if (currency != address(0)) PlainToken(currency).transfer(manager, amount);
        IManager(manager).settle{value: currency == address(0) ? amount : 0}();
    }

    function swap(address currency0, bool zeroForOne, uint256 amount) private view returns (bytes memory) {
        return Steps.swapV4(currency0, address(token), FEE, SPACING, zeroForOne, amount);
    }

    /// @dev v4 first: WETH is owed, the token goes to the dear pair, whose WETH settles.
    function test_buysOnAccount() public {
        uint256 out = quote(address(weth), true, IN);
        Routes.Pair memory y = pairOf(sides[0].dear, address(token), out);
        bytes memory nested = abi.encodePacked(
            swap(address(weth), true, IN),
            Steps.take(address(token), entries[y.index], out),
            Programs.chain(Programs.Hop(entries[y.index], y.zeroForOne, y.out), false),
            Steps.settle(IN)
        );
        trade(Programs.program(y.out - IN, Steps.unlock(manager, nested)));
        assertEq(held(address(weth)), HELD + y.out - IN);
        assertTokensKept();
    }

    /// @dev v4 last: the token comes from the cheap pair, which sends it to the manager.
    function test_sellsWhatWasSent() public {
        Routes.Pair memory x = pairOf(sides[0].cheap, address(weth), IN);
        uint256 out = quote(address(weth), false, x.out);
        bytes memory nested = abi.encodePacked(
            Steps.sync(address(token)),
            Programs.payChain(IN, Programs.Hop(entries[x.index], x.zeroForOne, x.out), true),
            Steps.settlePaid(),
            swap(address(weth), false, x.out),
            Steps.take(address(0), out)
        );
        trade(Programs.program(out - IN, Steps.unlock(manager, nested)));
        assertEq(held(address(weth)), HELD + out - IN);
        assertTokensKept();
    }

    /// @dev ETH out of a pool is expected, and wrapped; ETH into a pool comes out of WETH.
    function test_poolsOfEth() public {
        Routes.Pair memory x = pairOf(sides[0].cheap, address(weth), IN);
        uint256 out = quote(address(0), false, x.out);
        bytes memory nested = abi.encodePacked(
            Steps.sync(address(token)),
            Programs.payChain(IN, Programs.Hop(entries[x.index], x.zeroForOne, x.out), true),
            Steps.settlePaid(),
            swap(address(0), false, x.out),
            Steps.take(address(0), address(0), out),
            Steps.wrap(out)
        );
        trade(Programs.program(out - IN, Steps.unlock(manager, nested)));
        assertEq(held(address(weth)), HELD + out - IN);
        assertTokensKept();
        buyWithEth();
    }

    function buyWithEth() private {
        uint256 before = held(address(weth));
        uint256 bought = quote(address(0), true, IN);
        Routes.Pair memory y = pairOf(sides[0].dear, address(token), bought);
        bytes memory nested = abi.encodePacked(
            swap(address(0), true, IN),
            Steps.take(address(token), entries[y.index], bought),
            Programs.chain(Programs.Hop(entries[y.index], y.zeroForOne, y.out), false),
            Steps.unwrap(IN),
            Steps.settle(address(0), IN)
        );
        trade(Programs.program(y.out - IN, Steps.unlock(manager, nested)));
        assertEq(held(address(weth)), before + y.out - IN);
        assertTokensKept();
    }

    /// @dev ETH sent to somebody else is none of ours.
    function test_takesEthForAnother() public {
        bytes memory nested = abi.encodePacked(
            Steps.take(address(0), stranger, 3), Steps.unwrap(3), Steps.settle(address(0), 3)
        );
        refused(Programs.program(0, Steps.unlock(manager, nested)), below(address(weth), HELD - 3));
        nested = abi.encodePacked(Steps.take(address(0), stranger, 3), Steps.settle(address(0), 3));
        refused(
            Programs.program(0, Steps.unlock(manager, nested)),
            abi.encodeWithSelector(IExecutor.EthSpent.selector, HELD, HELD - 3)
        );
    }

    /// @dev The manager keeps accounts: what is owed, or left, at the end stops everything.
    function test_accountsMustBeEven() public {
        bytes memory open_ = abi.encodeWithSignature("CurrencyNotSettled()");
        bytes memory owing = Steps.unlock(manager, Steps.take(address(0), 3));
        bytes memory left = Steps.unlock(manager, Steps.settle(3));
        refused(Programs.program(0, owing), failed(manager, open_));
        refused(Programs.program(0, left), failed(manager, open_));
        refused(
            Programs.program(0, Steps.unlock(manager, swap(address(weth), true, IN))), failed(manager, open_)
        );
    }

    function test_settlesDeclaredTokensOnly() public {
        address t = address(token);
        bytes memory nested = abi.encodePacked(Steps.take(t, address(0), 3), Steps.settle(t, 3));
        refused(Programs.program(0, Steps.unlock(manager, nested)), failed(manager, undeclared(t)));
        trade(Programs.program(0, t, Steps.unlock(manager, nested)));
        bytes memory takes = abi.encodePacked(Steps.take(t, stranger, 3), Steps.settle(t, 3));
        refused(Programs.program(0, t, Steps.unlock(manager, takes)), below(t, HELD - 3));
        assertKept();
    }

    /// @dev A swap with WIDE amounts; a pool with hooks and other fields, which is not there.
    function test_wide() public {
        uint256 out = quote(address(weth), true, IN);
        bytes memory key = abi.encodePacked(
            Programs.account(address(weth)),
            Programs.account(address(token)),
            FEE,
            SPACING,
            Programs.account(address(0))
        );
        bytes memory nested = abi.encodePacked(uint8(Program.V4_SWAP | Program.WIDE | 1), key, uint128(IN));
        nested = abi.encodePacked(
            nested,
            uint8(Program.V4_TAKE | Program.TOKEN | Program.WIDE),
            Programs.account(address(token)),
            uint128(out)
        );
        nested = abi.encodePacked(nested, uint8(Program.V4_SETTLE | Program.WIDE), uint128(IN));
        nested = abi.encodePacked(nested, Programs.pay(address(token), 0));
        bytes memory program = Programs.program(0, address(token), Steps.unlock(manager, nested));
        refused(program, below(address(weth), HELD - IN));
        nested = Steps.swapV4(address(weth), address(token), 400, SPACING, true, 1);
        refused(
            Programs.program(0, Steps.unlock(manager, nested)),
            failed(manager, failed(manager, abi.encodeWithSignature("PoolNotInitialized()")))
        );
    }

    /// @dev What an exact input gives, found by a swap that is undone.
    function quote(address currency0, bool zeroForOne, uint256 amount) private returns (uint256 out) {
        IUniswapV4Manager.PoolKey memory key =
            IUniswapV4Manager.PoolKey(currency0, address(token), FEE, int24(SPACING), address(0));
        try IManager(manager).unlock(abi.encode(key, amount, zeroForOne)) {
            revert("not undone");
        } catch (bytes memory answer) {
            out = abi.decode(answer, (uint256));
        }
    }

    function undoneSwap(IUniswapV4Manager.PoolKey memory key, uint256 amount, bool zeroForOne) private {
        uint160 limit =
            zeroForOne ? 4_295_128_740 : 1_461_446_703_485_210_103_287_273_052_203_988_822_378_723_970_341;
        int256 delta = IUniswapV4Manager(manager)
            .swap(key, IUniswapV4Manager.SwapParams(zeroForOne, -int256(amount), limit), "");
        uint256 out = uint128(zeroForOne ? int128(delta) : int128(delta >> 128));
        assembly {
            mstore(0, out)
            revert(0, 0x20)
        }
    }
}
