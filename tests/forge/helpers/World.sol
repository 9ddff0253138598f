// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IExecutor} from "../../../contracts/interfaces/IExecutor.sol";
import {Book} from "../../../contracts/libraries/Book.sol";
import {IV2Factory, IV2Pair, IV3Factory, IV3Pool, IWETH9} from "./Protocols.sol";
import {Programs} from "./Programs.sol";
import {PlainToken} from "./Tokens.sol";

/// @title WETH9, Uniswap v2 (twice) and v3 as they were deployed, some tokens, and the executor
abstract contract World is Test {
    uint160 internal constant EVEN = 1 << 96; // the sqrt price of 1
    uint256 internal constant DEPTH = 10_000 ether;
    uint256 internal constant IN = 5 ether;

    address internal immutable owner = makeAddr("owner");
    address internal immutable operator = makeAddr("operator");
    address internal immutable stranger = makeAddr("stranger");
    address payable internal immutable builder = payable(makeAddr("builder"));

    IWETH9 internal weth;
    IV2Factory internal v2;
    IV2Factory internal sushi;
    IV3Factory internal v3;
    PlainToken internal a;
    PlainToken internal b;
    address internal executor;

    function setUp() public virtual {
        weth = IWETH9(create("canonical-weth/build/contracts/WETH9.json", ""));
        v2 = IV2Factory(create("@uniswap/v2-core/build/UniswapV2Factory.json", abi.encode(owner)));
        sushi = IV2Factory(create("@uniswap/v2-core/build/UniswapV2Factory.json", abi.encode(owner)));
        v3 = IV3Factory(
            create("@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json", "")
        );
        a = new PlainToken();
        b = new PlainToken();
        executor = deployCode("Executor.sol:Executor", abi.encode(owner, weth));
        vm.deal(address(this), 1_000_000 ether);
        weth.deposit{value: 900_000 ether}();
        a.mint(address(this), 1e9 ether);
        b.mint(address(this), 1e9 ether);
        vm.prank(owner);
        IExecutor(executor).setOperator(operator, true);
        vm.coinbase(builder);
        vm.roll(1000);
    }

    /// @dev Puts a book behind the executor's code: accounts, their kinds and, of v2 pairs, the index of the other token.
    function setBook(address[] memory accounts, uint256[] memory kinds) internal {
        for (uint256 i = 0; i < accounts.length; ++i) {
            Programs.book()[accounts[i]] = i + 1;
        }
        bytes memory code = abi.encodePacked(executor.code, new bytes(Book.START - executor.code.length));
        for (uint256 i = 0; i < accounts.length; ++i) {
            uint16 other = kinds[i] == Book.V2_WETH_0 || kinds[i] == Book.V2_WETH_1
                ? Programs.index(
                    kinds[i] == Book.V2_WETH_0 ? IV2Pair(accounts[i]).token1() : IV2Pair(accounts[i]).token0()
                )
                : 0;
            code = abi.encodePacked(code, accounts[i], uint8(kinds[i]), other);
        }
        vm.etch(executor, code);
    }

    /// @dev The book's kind of a v2 pair or v3 pool.
    function kindOf(address made, bool isV3) internal view returns (uint256 kind) {
        kind = isV3 ? Book.V3_WETH_0 : Book.V2_WETH_0;
        if (IV3Pool(made).token1() == address(weth)) return kind + 1;
        if (IV3Pool(made).token0() != address(weth)) return Book.OTHER;
    }

    /// @dev Deploys the creation code in an artifact of node_modules.
    function create(string memory artifact, bytes memory arguments) internal returns (address made) {
        string memory json = vm.readFile(string.concat("node_modules/", artifact));
        string memory key = vm.keyExistsJson(json, ".bytecode.object") ? ".bytecode.object" : ".bytecode";
        string memory text =
            vm.parseJsonString(json, vm.keyExistsJson(json, ".creationCode") ? ".creationCode" : key);
        bool prefixed = bytes(text)[1] == "x";
        return createCode(vm.parseBytes(prefixed ? text : string.concat("0x", text)), arguments);
    }

    function createCode(bytes memory code, bytes memory arguments) internal returns (address made) {
        code = abi.encodePacked(code, arguments);
        assembly {
            made := create(0, add(code, 0x20), mload(code))
        }
        require(made != address(0), "not created");
    }

    /// @dev A token whose address is below WETH's, or above.
    function tokenBeside(bool below) internal returns (PlainToken token) {
        do {
            token = new PlainToken();
        } while ((address(token) < address(weth)) != below);
        token.mint(address(this), 1e9 ether);
    }

    /// @dev A pair with these reserves.
    function pair(IV2Factory factory, address x, uint256 amountX, address y, uint256 amountY)
        internal
        returns (address made)
    {
        made = factory.createPair(x, y);
        IWETH9(x).transfer(made, amountX);
        IWETH9(y).transfer(made, amountY);
        IV2Pair(made).mint(address(this));
    }

    /// @dev A pool whose price is 1 to 1, deep around it.
    function poolOf(address x, address y, uint24 fee) internal returns (address made) {
        made = v3.createPool(x, y, fee);
        IV3Pool(made).initialize(EVEN);
        IV3Pool(made).mint(address(this), -6000, 6000, uint128(4 * DEPTH), "");
    }

    /// @dev The test itself pays what a pool asks when it mints.
    function uniswapV3MintCallback(uint256 owed0, uint256 owed1, bytes calldata) external {
        IWETH9(IV3Pool(msg.sender).token0()).transfer(msg.sender, owed0);
        IWETH9(IV3Pool(msg.sender).token1()).transfer(msg.sender, owed1);
    }

    /// @dev The hop that swaps `amount` of `tokenIn` through a pair, with its exact output.
    function v2Hop(address pool, address tokenIn, uint256 amount)
        internal
        view
        returns (Programs.Hop memory)
    {
        (uint256 reserve0, uint256 reserve1,) = IV2Pair(pool).getReserves();
        bool zeroForOne = IV2Pair(pool).token0() == tokenIn;
        (uint256 rin, uint256 rout) = zeroForOne ? (reserve0, reserve1) : (reserve1, reserve0);
        uint256 taken = amount * 997;
        return Programs.Hop(pool, zeroForOne, taken * rout / (rin * 1000 + taken));
    }

    /// @dev Balancer's v2 Vault as it was deployed.
    function balancerVault() internal returns (address) {
        string memory tasks = "@balancer-labs/v2-deployments/dist/tasks/";
        address authorizer =
            create(string.concat(tasks, "20210418-authorizer/bytecode/Authorizer.json"), abi.encode(owner));
        return create(
            string.concat(tasks, "20210418-vault/bytecode/Vault.json"),
            abi.encode(authorizer, weth, 90 days, 30 days)
        );
    }

    /// @dev What a v3 pool gives for `amount` of `tokenIn`, found by a swap that is undone.
    function v3Quote(address pool, address tokenIn, uint256 amount)
        internal
        returns (bool zeroForOne, uint256 out)
    {
        zeroForOne = IV3Pool(pool).token0() == tokenIn;
        uint160 limit =
            zeroForOne ? 4_295_128_740 : 1_461_446_703_485_210_103_287_273_052_203_988_822_378_723_970_341;
        try IV3Pool(pool).swap(address(this), zeroForOne, int256(amount), limit, "") {
            revert("not undone");
        } catch (bytes memory answer) {
            out = abi.decode(answer, (uint256));
        }
    }

    /// @dev Swaps for the test itself.
    function v3Swap(address pool, address tokenIn, uint256 amount) internal {
        bool zeroForOne = IV3Pool(pool).token0() == tokenIn;
        uint160 limit =
            zeroForOne ? 4_295_128_740 : 1_461_446_703_485_210_103_287_273_052_203_988_822_378_723_970_341;
        IV3Pool(pool).swap(address(this), zeroForOne, int256(amount), limit, abi.encode(tokenIn));
    }

    function v2Swap(address pool, address tokenIn, uint256 amount) internal {
        Programs.Hop memory hop = v2Hop(pool, tokenIn, amount);
        IWETH9(tokenIn).transfer(pool, amount);
        (uint256 out0, uint256 out1) = hop.zeroForOne ? (uint256(0), hop.out) : (hop.out, 0);
        IV2Pair(pool).swap(out0, out1, address(this), "");
    }

    /// @dev Pays the token that the data names; without data it only tells what would have come out.
    function uniswapV3SwapCallback(int256 delta0, int256 delta1, bytes calldata data) external {
        (uint256 owed, uint256 out) =
            delta0 > 0 ? (uint256(delta0), uint256(-delta1)) : (uint256(delta1), uint256(-delta0));
        if (data.length > 0) {
            IWETH9(abi.decode(data, (address))).transfer(msg.sender, owed);
            return;
        }
        assembly {
            mstore(0, out)
            revert(0, 0x20)
        }
    }

    function trade(bytes memory program) internal {
        tradeAs(owner, program);
    }

    function tradeAs(address who, bytes memory program) internal {
        vm.prank(who);
        (bool success, bytes memory answer) = executor.call(program);
        if (!success) {
            assembly {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }

    function held(address token) internal view returns (uint256) {
        return IWETH9(token).balanceOf(executor);
    }
}
