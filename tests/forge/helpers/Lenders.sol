// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IMorpho} from "../../../contracts/interfaces/IMorpho.sol";

/// @notice A lender by every name that the executor knows. It lends, calls back, and pulls a part of what it is owed;
/// what it might still pull, it tries to later. Asked for an allowance, as if it were a token, it says there is none.
contract AnyLender {
    using SafeERC20 for IERC20;

    uint256 public premium; // in wei
    uint256 public pulled = 100; // percent
    bytes public answer;

    function setPremium(uint256 wei_) external {
        premium = wei_;
    }

    function setPulled(uint256 percent) external {
        pulled = percent;
    }

    // --- Morpho Blue ---------------------------------------------------------------------------------------------

    function flashLoan(address token, uint256 assets, bytes calldata data) external {
        IERC20(token).safeTransfer(msg.sender, assets);
        back(abi.encodeWithSignature("onMorphoFlashLoan(uint256,bytes)", assets, data));
        pull(token, assets);
    }

    function liquidate(
        IMorpho.MarketParams calldata market,
        address,
        uint256 seized,
        uint256 shares,
        bytes calldata data
    ) external {
        IERC20(market.collateralToken).safeTransfer(msg.sender, seized);
        back(abi.encodeWithSignature("onMorphoLiquidate(uint256,bytes)", shares, data));
        pull(market.loanToken, IERC20(market.loanToken).allowance(msg.sender, address(this)));
    }

    // --- Aave v3 -------------------------------------------------------------------------------------------------

    function flashLoanSimple(address to, address asset, uint256 amount, bytes calldata data, uint16)
        external
    {
        IERC20(asset).safeTransfer(to, amount);
        bytes memory call_ = abi.encodeWithSignature(
            "executeOperation(address,uint256,uint256,address,bytes)",
            asset,
            amount,
            premium,
            msg.sender,
            data
        );
        (bool success, bytes memory word) = to.call(call_);
        require(success && abi.decode(word, (bool)), "callback");
        (answer) = word;
        pullFrom(to, asset, amount + premium);
    }

    function liquidationCall(address collateral, address debt, address, uint256 most, bool receiveAToken)
        external
    {
        require(!receiveAToken, "aToken");
        pull(debt, most);
        IERC20(collateral).safeTransfer(msg.sender, most * 105 / 100);
    }

    // --- ERC-3156 ------------------------------------------------------------------------------------------------

    function flashLoan(address to, address token, uint256 amount, bytes calldata data)
        external
        returns (bool)
    {
        IERC20(token).safeTransfer(to, amount);
        (bool success, bytes memory word) = to.call(
            abi.encodeWithSignature(
                "onFlashLoan(address,address,uint256,uint256,bytes)", msg.sender, token, amount, premium, data
            )
        );
        require(
            success && abi.decode(word, (bytes32)) == keccak256("ERC3156FlashBorrower.onFlashLoan"),
            "callback"
        );
        pullFrom(to, token, amount + premium);
        return true;
    }

    // --- Compound v2 ---------------------------------------------------------------------------------------------

    address public underlying;
    uint256 public code;

    function setCompound(address underlying_, uint256 code_) external {
        (underlying, code) = (underlying_, code_);
    }

    function liquidateBorrow(address, uint256 amount, address collateral) external returns (uint256) {
        if (code != 0) return code;
        pull(underlying, amount);
        IERC20(collateral).safeTransfer(msg.sender, amount * 105 / 100);
        return 0;
    }

    // --- what it does --------------------------------------------------------------------------------------------

    function allowance(address, address) external pure returns (uint256) {
        return 0;
    }

    function steal(address token, address from, uint256 amount) external returns (bool success) {
        (success,) = token.call(abi.encodeCall(IERC20.transferFrom, (from, address(this), amount)));
    }

    function back(bytes memory data) private {
        (bool success, bytes memory word) = msg.sender.call(data);
        if (!success) {
            assembly {
                revert(add(word, 0x20), mload(word))
            }
        }
        answer = word;
    }

    function pull(address token, uint256 amount) private {
        pullFrom(msg.sender, token, amount);
    }

    function pullFrom(address from, address token, uint256 amount) private {
        uint256 part = amount * pulled / 100;
        if (part != 0) IERC20(token).safeTransferFrom(from, address(this), part);
    }
}

/// @notice Venues without callbacks, which pull a part of what they may.
contract AnyVenue {
    uint256 public pulled = 100; // percent
    address public tokenIn;
    address public tokenOut; // zero: ETH
    uint256 public out;
    bytes public called;
    uint256 public value;

    receive() external payable {}

    function set(address tokenIn_, address tokenOut_, uint256 out_, uint256 percent) external {
        (tokenIn, tokenOut, out, pulled) = (tokenIn_, tokenOut_, out_, percent);
    }

    fallback() external payable {
        (called, value) = (msg.data, msg.value);
        if (tokenIn != address(0)) {
            uint256 most = IERC20(tokenIn).allowance(msg.sender, address(this));
            IERC20(tokenIn).transferFrom(msg.sender, address(this), most * pulled / 100);
        }
        if (tokenOut != address(0)) IERC20(tokenOut).transfer(msg.sender, out);
        else if (out != 0) payable(msg.sender).transfer(out);
    }
}
