// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Book} from "../../../contracts/libraries/Book.sol";
import {EvilPool} from "./Evil.sol";
import {AnyLender} from "./Lenders.sol";
import {MORPHO_CODE} from "./MorphoCode.sol";
import {Programs} from "./Programs.sol";
import {IWETH9} from "./Protocols.sol";
import {Routes} from "./Routes.sol";
import {Stage} from "./Stage.sol";
import {PlainToken} from "./Tokens.sol";

/// @title A book with everything in it: for a token above WETH's address and one below, two pairs and a v3 pool; all
/// lenders; tokens; and an evil one that the owner was wrong to list
/// @notice The executor holds 100 of each token.
abstract contract Market is Stage {
    /// @dev A token, its pairs, where it is cheap and dear, and its pool, by their indices.
    struct Side {
        PlainToken token;
        uint16 cheap;
        uint16 dear;
        uint16 pool;
    }

    uint16 internal constant WETH_ENTRY = 0; // where zeros lead to; it takes any call for a deposit
    uint16 internal constant MIDDLE = 7; // the pair of both tokens
    uint16 internal constant EVIL = 8;
    uint16 internal constant TOKENS = 9; // two
    uint16 internal constant LENDERS = 11; // eight, in the order of their kinds
    uint16 internal constant ENTRIES = 19;

    Side[2] internal sides;
    address[] internal entries;

    address internal manager;
    address internal vault;
    address internal morpho;
    AnyLender internal aave;

    function setUp() public virtual override {
        super.setUp();
        uint256[] memory kinds = new uint256[](ENTRIES);
        entries = new address[](ENTRIES);
        for (uint16 i = 0; i < 2; ++i) {
            Side memory side = Side(tokenBeside(i == 1), 3 * i + 1, 3 * i + 2, 3 * i + 3);
            sides[i] = side;
            side.token.mint(executor, HELD);
            address token = address(side.token);
            entries[side.cheap] = pair(v2, address(weth), DEPTH, token, DEPTH * 110 / 100);
            entries[side.dear] = pair(sushi, address(weth), DEPTH * 105 / 100, token, DEPTH);
            entries[side.pool] = poolOf(address(weth), token, 3000);
            entries[TOKENS + i] = token;
            for (uint16 j = 0; j < 3; ++j) {
                kinds[3 * i + j + 1] = kindOf(entries[3 * i + j + 1], j == 2);
            }
        }
        entries[MIDDLE] = pair(v2, address(sides[0].token), DEPTH, address(sides[1].token), DEPTH);
        entries[EVIL] = address(evil);
        entries[WETH_ENTRY] = address(weth);
        openLenders(kinds);
        setBook(entries, kinds);
    }

    function openLenders(uint256[] memory kinds) private {
        morpho = createCode(MORPHO_CODE, abi.encode(owner));
        vault = balancerVault();
        aave = new AnyLender();
        manager = create("@uniswap/v4-core/out/PoolManager.sol/PoolManager.json", abi.encode(owner));
        address[4] memory lenders = [morpho, vault, address(aave), manager];
        for (uint16 i = 0; i < 8; ++i) {
            kinds[LENDERS + i] = Book.LENDER_MORPHO + i;
            if (i > 3) continue;
            entries[LENDERS + i] = lenders[i];
            weth.transfer(lenders[i], DEPTH);
        }
        for (uint16 i = 0; i < 2; ++i) {
            PlainToken other = tokenBeside(i == 1);
            entries[LENDERS + 4 + i] = pair(v2, address(weth), DEPTH, address(other), DEPTH);
            entries[LENDERS + 6 + i] = poolOf(address(weth), address(other), 500);
        }
    }

    function assertKept() internal view {
        assertUntouched();
        assertTokensKept();
    }

    function assertTokensKept() internal view {
        assertEq(held(address(a)), HELD, "A");
        assertEq(held(address(sides[0].token)), HELD, "token above");
        assertEq(held(address(sides[1].token)), HELD, "token below");
        assertEq(executor.balance, HELD, "ETH");
    }

    /// @dev The pair with the exact output for an input.
    function pairOf(uint16 index, address tokenIn, uint256 amount)
        internal
        view
        returns (Routes.Pair memory)
    {
        Programs.Hop memory hop = v2Hop(entries[index], tokenIn, amount);
        return Routes.Pair(index, hop.zeroForOne, hop.out);
    }

    /// @dev The cycle that gains: WETH into the cheap pair, the token into the dear one.
    function cycle(Side memory side, uint256 amount)
        internal
        view
        returns (Routes.Pair memory x, Routes.Pair memory y)
    {
        x = pairOf(side.cheap, address(weth), amount);
        y = pairOf(side.dear, address(side.token), x.out);
    }

    /// @dev The same through the pair of both tokens: WETH, one token, the other one, WETH.
    function cycle3(uint256 from, uint256 amount) internal view returns (Routes.Pair[3] memory hops) {
        Side memory x = sides[from];
        Side memory y = sides[1 - from];
        hops[0] = pairOf(x.cheap, address(weth), amount);
        hops[1] = pairOf(MIDDLE, address(x.token), hops[0].out);
        hops[2] = pairOf(y.dear, address(y.token), hops[1].out);
    }

    function allowanceOf(address token, address spender) internal view returns (uint256) {
        (, bytes memory answer) =
            token.staticcall(abi.encodeWithSignature("allowance(address,address)", executor, spender));
        return abi.decode(answer, (uint256));
    }

    function wethHeld(address who) internal view returns (uint256) {
        return IWETH9(address(weth)).balanceOf(who);
    }
}
