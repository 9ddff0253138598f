// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

interface IToken {
    function balanceOf(address) external view returns (uint256);
    function approve(address, uint256) external returns (bool);
    function transfer(address, uint256) external returns (bool);
}

interface ILenders {
    function flashLoanSimple(address, address, uint256, bytes calldata, uint16) external;
    function flashLoan(address, address[] calldata, uint256[] calldata, bytes calldata) external;
    function flashLoan(address, uint256, bytes calldata) external;
    function unlock(bytes calldata) external returns (bytes memory);
    function take(address, address, uint256) external;
    function sync(address) external;
    function settle() external returns (uint256);
}

/// @title Takes a flash loan from each kind of lender, notes what it held meanwhile, and pays it back.
contract LoanProbe {
    uint256 public held;
    address private token;

    function aave(ILenders pool, address asset, uint256 amount) external {
        pool.flashLoanSimple(address(this), asset, amount, "", 0);
    }

    function balancer(ILenders vault, address asset, uint256 amount) external {
        address[] memory tokens = new address[](1);
        uint256[] memory amounts = new uint256[](1);
        (tokens[0], amounts[0]) = (asset, amount);
        vault.flashLoan(address(this), tokens, amounts, "");
    }

    function morpho(ILenders lender, address asset, uint256 amount) external {
        token = asset;
        lender.flashLoan(asset, amount, "");
    }

    function v4(ILenders manager, address asset, uint256 amount) external {
        manager.unlock(abi.encode(asset, amount));
    }

    function executeOperation(address asset, uint256 amount, uint256 premium, address, bytes calldata)
        external
        returns (bool)
    {
        _note(asset);
        IToken(asset).approve(msg.sender, amount + premium);
        return true;
    }

    function receiveFlashLoan(
        address[] calldata tokens,
        uint256[] calldata amounts,
        uint256[] calldata fees,
        bytes calldata
    ) external {
        _note(tokens[0]);
        IToken(tokens[0]).transfer(msg.sender, amounts[0] + fees[0]);
    }

    function onMorphoFlashLoan(uint256 amount, bytes calldata) external {
        _note(token);
        IToken(token).approve(msg.sender, amount);
    }

    function unlockCallback(bytes calldata data) external returns (bytes memory) {
        (address asset, uint256 amount) = abi.decode(data, (address, uint256));
        ILenders(msg.sender).take(asset, address(this), amount);
        _note(asset);
        ILenders(msg.sender).sync(asset);
        IToken(asset).transfer(msg.sender, amount);
        ILenders(msg.sender).settle();
        return "";
    }

    function _note(address asset) private {
        held = IToken(asset).balanceOf(address(this));
    }
}
