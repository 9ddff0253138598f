// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

interface IToken {
    function balanceOf(address) external view returns (uint256);
}

interface IPair {
    function token0() external view returns (address);
    function token1() external view returns (address);
    function getReserves() external view returns (uint112, uint112, uint32);
    function swap(uint256, uint256, address, bytes calldata) external;
    function swap(address, bool, int256, uint160, bytes calldata) external;
}

/// @dev v4's PoolKey and SwapParams.
struct Key {
    address currency0;
    address currency1;
    uint24 fee;
    int24 tickSpacing;
    address hooks;
}

struct Swap {
    bool zeroForOne;
    int256 amountSpecified;
    uint160 sqrtPriceLimitX96;
}

interface IManager {
    function unlock(bytes calldata) external returns (bytes memory);
    function swap(Key memory, Swap memory, bytes calldata) external returns (int256);
    function sync(address) external;
    function settle() external payable returns (uint256);
    function take(address, address, uint256) external;
}

/// @title Trades through a v2, v3 or v4 pool for its caller, as a router does, or with what it holds itself, and says
/// what moved. It lives in simulations only, where it is put over a router's code: its runtime is in
/// probe.py. The zero address is the chain's own coin.
contract LaunchProbe {
    uint160 private constant LOWEST = 4295128740;
    uint160 private constant HIGHEST = 1461446703485210103287273052203988822378723970341;

    struct Moved {
        uint256 asked;
        uint256 inBefore;
        uint256 inAfter;
        uint256 outBefore;
        uint256 outAfter;
    }

    struct Deal {
        address payer;
        address tokenIn;
        address tokenOut;
        bool up;
    }

    /// @param fee In millionths for a v2 pair; 1e6 for a v3 pool.
    /// @param amount Of `tokenIn`, where `share` is 0; else that many of 10,000 parts of what the payer holds.
    /// @param own Whether this contract trades, or its caller.
    function trade(address pool, uint256 fee, address tokenIn, uint256 amount, uint256 share, bool own)
        public
        returns (Moved memory moved)
    {
        Deal memory deal = agree(IPair(pool).token0(), IPair(pool).token1(), tokenIn, own);
        before(moved, deal, amount, share);
        if (fee == 1e6) {
            uint160 limit = deal.up ? LOWEST : HIGHEST;
            IPair(pool).swap(deal.payer, deal.up, int256(moved.asked), limit, abi.encode(deal.payer, tokenIn));
        } else {
            pay(tokenIn, deal.payer, pool, moved.asked);
            swapV2(pool, fee, tokenIn, deal.up, deal.payer);
        }
        afterwards(moved, deal);
    }

    /// @notice The same in a pool of v4.
    function tradeV4(address manager, Key memory key, address tokenIn, uint256 amount, uint256 share, bool own)
        public
        payable
        returns (Moved memory moved)
    {
        Deal memory deal = agree(key.currency0, key.currency1, tokenIn, own);
        before(moved, deal, amount, share);
        IManager(manager).unlock(abi.encode(key, deal, moved.asked));
        afterwards(moved, deal);
    }

    /// @notice Buys and sells all of it in one transaction, with what this contract holds.
    function round(address pool, uint256 fee, address base, address token, uint256 amount)
        external
        returns (Moved memory bought, Moved memory sold)
    {
        bought = trade(pool, fee, base, amount, 0, true);
        sold = trade(pool, fee, token, 0, 10_000, true);
    }

    /// @notice The same in a pool of v4.
    function roundV4(address manager, Key memory key, address base, address token, uint256 amount)
        external
        returns (Moved memory bought, Moved memory sold)
    {
        bought = tradeV4(manager, key, base, amount, 0, true);
        sold = tradeV4(manager, key, token, 0, 10_000, true);
    }

    receive() external payable {}

    function unlockCallback(bytes calldata data) external returns (bytes memory) {
        (Key memory key, Deal memory deal, uint256 asked) = abi.decode(data, (Key, Deal, uint256));
        IManager manager = IManager(msg.sender);
        int256 delta = manager.swap(key, Swap(deal.up, -int256(asked), deal.up ? LOWEST : HIGHEST), "");
        (int256 amount0, int256 amount1) = (delta >> 128, int128(delta));
        (uint256 owed, uint256 due) =
            deal.up ? (uint256(-amount0), uint256(amount1)) : (uint256(-amount1), uint256(amount0));
        if (deal.tokenIn == address(0)) {
            manager.settle{value: owed}();
        } else {
            manager.sync(deal.tokenIn);
            pay(deal.tokenIn, deal.payer, msg.sender, owed);
            manager.settle();
        }
        require(due > 0, "probe: nothing comes out");
        manager.take(deal.tokenOut, deal.payer, due);
        return "";
    }

    /// @notice A v3 pool's callback, whatever its name.
    fallback() external {
        (int256 owed0, int256 owed1, bytes memory data) = abi.decode(msg.data[4:], (int256, int256, bytes));
        (address payer, address token) = abi.decode(data, (address, address));
        pay(token, payer, msg.sender, uint256(owed0 > 0 ? owed0 : owed1));
    }

    function agree(address token0, address token1, address tokenIn, bool own) private view returns (Deal memory) {
        bool up = token0 == tokenIn;
        return Deal(own ? address(this) : msg.sender, tokenIn, up ? token1 : token0, up);
    }

    function before(Moved memory moved, Deal memory deal, uint256 amount, uint256 share) private view {
        moved.inBefore = held(deal.tokenIn, deal.payer);
        moved.outBefore = held(deal.tokenOut, deal.payer);
        moved.asked = share == 0 ? amount : moved.inBefore * share / 10_000;
        require(moved.asked > 0, "probe: nothing to trade");
    }

    function afterwards(Moved memory moved, Deal memory deal) private view {
        moved.inAfter = held(deal.tokenIn, deal.payer);
        moved.outAfter = held(deal.tokenOut, deal.payer);
    }

    function held(address token, address who) private view returns (uint256) {
        return token == address(0) ? who.balance : IToken(token).balanceOf(who);
    }

    function swapV2(address pool, uint256 fee, address tokenIn, bool up, address to) private {
        (uint256 reserveIn, uint256 reserveOut,) = IPair(pool).getReserves();
        if (!up) (reserveIn, reserveOut) = (reserveOut, reserveIn);
        uint256 net = (IToken(tokenIn).balanceOf(pool) - reserveIn) * (1e6 - fee);
        require(net > 0, "probe: the pool is not paid");
        uint256 out = net * reserveOut / (reserveIn * 1e6 + net);
        require(out > 0, "probe: nothing comes out");
        IPair(pool).swap(up ? 0 : out, up ? out : 0, to, "");
    }

    function pay(address token, address payer, address to, uint256 amount) private {
        bytes memory data = payer == address(this)
            ? abi.encodeWithSignature("transfer(address,uint256)", to, amount)
            : abi.encodeWithSignature("transferFrom(address,address,uint256)", payer, to, amount);
        (bool success, bytes memory said) = token.call(data);
        if (!success) {
            assembly {
                revert(add(said, 32), mload(said))
            }
        }
        require(said.length == 0 || abi.decode(said, (bool)), "probe: the transfer returned false");
    }
}
