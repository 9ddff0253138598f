// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IMorpho} from "../../../contracts/interfaces/IMorpho.sol";

/// @notice An operator who is pool, lender, venue, builder and token hook at once. When the executor calls it, it calls
/// back as is due, or does something else that its dice say; it pulls whatever it may.
contract Villain {
    address internal immutable EXECUTOR;
    IERC20[] internal loot;
    bytes[] internal programs; // what it sends as an operator, when it is called
    uint256 internal dice;
    uint256 private depth;

    constructor(address executor, IERC20[] memory loot_) payable {
        (EXECUTOR, loot) = (executor, loot_);
    }

    function prepare(uint256 dice_, bytes[] calldata programs_) external {
        dice = dice_;
        delete programs;
        for (uint256 i = 0; i < programs_.length; ++i) {
            programs.push(programs_[i]);
        }
    }

    /// @dev Sends a program as an operator.
    function trade(bytes calldata program) external returns (bool success) {
        (success,) = EXECUTOR.call{gas: 20_000_000}(program);
        pull();
    }

    /// @dev Takes what it is allowed to take of anything.
    function pull() public {
        for (uint256 i = 0; i < loot.length; ++i) {
            uint256 most = loot[i].allowance(EXECUTOR, address(this));
            uint256 there = loot[i].balanceOf(EXECUTOR);
            if (most > there) most = there;
            if (most != 0) loot[i].transferFrom(EXECUTOR, address(this), most);
        }
    }

    function next(uint256 sides) internal returns (uint256) {
        dice = uint256(keccak256(abi.encode(dice)));
        return dice % sides;
    }

    /// @dev What it does when it is called: calls back, with something before and behind that.
    function react(bytes memory callback) internal returns (bytes memory answer) {
        if (msg.sender != EXECUTOR || depth > 3) return "";
        ++depth;
        mischief();
        if (callback.length != 0 && next(8) != 0) {
            (, answer) = EXECUTOR.call(callback);
        }
        mischief();
        --depth;
    }

    function mischief() private {
        uint256 kind = next(10);
        bool success;
        if (kind == 0 && programs.length != 0) {
            (success,) = EXECUTOR.call{gas: 3_000_000}(programs[next(programs.length)]);
        } else if (kind == 1) {
            (success,) = EXECUTOR.call{value: 1}("");
        } else if (kind == 2) {
            pull();
        } else if (kind == 3) {
            loot[next(loot.length)].transfer(EXECUTOR, next(1 ether));
        } else if (kind == 4) {
            (success,) = EXECUTOR.call{gas: 1_000_000}(
                abi.encodeWithSignature("uniswapV3SwapCallback(int256,int256,bytes)", 1, 1, programs[0])
            );
        }
    }

    // --- what the executor may take it for ---------------------------------------------------------------------------

    function swap(uint256 a, uint256 b, address, bytes calldata data) external {
        react(
            data.length == 0
                ? bytes("")
                : abi.encodeWithSignature(
                    "uniswapV2Call(address,uint256,uint256,bytes)", msg.sender, a, b, data
                )
        );
    }

    function swap(address, bool, int256 amount, uint160, bytes calldata data)
        external
        returns (int256, int256)
    {
        react(abi.encodeWithSignature("uniswapV3SwapCallback(int256,int256,bytes)", amount, -amount, data));
        return (type(int256).min / 2, type(int256).min / 2);
    }

    function flash(address, uint256, uint256, bytes calldata data) external {
        react(abi.encodeWithSignature("uniswapV3FlashCallback(uint256,uint256,bytes)", 0, 0, data));
    }

    function flashLoan(address, uint256 assets, bytes calldata data) external {
        react(abi.encodeWithSignature("onMorphoFlashLoan(uint256,bytes)", assets, data));
    }

    function flashLoan(address, address[] calldata t, uint256[] calldata x, bytes calldata data) external {
        react(abi.encodeWithSignature("receiveFlashLoan(address[],uint256[],uint256[],bytes)", t, x, x, data));
    }

    function flashLoanSimple(address, address asset, uint256 amount, bytes calldata data, uint16) external {
        react(
            abi.encodeWithSignature(
                "executeOperation(address,uint256,uint256,address,bytes)", asset, amount, 0, msg.sender, data
            )
        );
    }

    function flashLoan(address, address token, uint256 amount, bytes calldata data) external returns (bool) {
        react(
            abi.encodeWithSignature(
                "onFlashLoan(address,address,uint256,uint256,bytes)", msg.sender, token, amount, 0, data
            )
        );
        return true;
    }

    function unlock(bytes calldata data) external returns (bytes memory) {
        react(abi.encodeWithSignature("unlockCallback(bytes)", data));
        return "";
    }

    function liquidate(
        IMorpho.MarketParams calldata,
        address,
        uint256 seized,
        uint256 shares,
        bytes calldata data
    ) external returns (uint256, uint256) {
        react(abi.encodeWithSignature("onMorphoLiquidate(uint256,bytes)", 1, data));
        return (seized, shares);
    }

    function liquidateBorrow(address, uint256, address) external returns (uint256) {
        react("");
        return 0;
    }

    /// @dev As a token it says that there is enough of it, and nothing allowed.
    function balanceOf(address) external pure returns (uint256) {
        return 1 ether;
    }

    function allowance(address, address) external pure returns (uint256) {
        return 0;
    }

    /// @dev Everything else: venues, a token's transfer, v4's account keeping, a builder that is paid.
    fallback() external payable {
        react("");
        if (msg.data.length == 0x44) {
            assembly {
                mstore(0, 1)
                return(0, 0x20)
            }
        }
    }

    receive() external payable {
        react("");
    }
}
