// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

interface IToken {
    function transfer(address, uint256) external returns (bool);
    function transferFrom(address, address, uint256) external returns (bool);
}

interface IBorrower {
    function executeOperation(address, uint256, uint256, address, bytes calldata) external returns (bool);
    function onFlashLoan(address, address, uint256, uint256, bytes calldata) external returns (bytes32);
}

/// @title Lends as Aave v3's Pool does
contract AaveLender {
    function flashLoanSimple(address receiver, address asset, uint256 amount, bytes calldata data, uint16)
        external
    {
        uint256 premium = amount / 10_000;
        IToken(asset).transfer(receiver, amount);
        require(IBorrower(receiver).executeOperation(asset, amount, premium, msg.sender, data));
        IToken(asset).transferFrom(receiver, address(this), amount + premium);
    }
}

/// @title Lends by ERC-3156
contract Erc3156Lender {
    function flashLoan(address receiver, address asset, uint256 amount, bytes calldata data)
        external
        returns (bool)
    {
        uint256 fee = amount / 10_000;
        IToken(asset).transfer(receiver, amount);
        bytes32 answer = IBorrower(receiver).onFlashLoan(msg.sender, asset, amount, fee, data);
        require(answer == keccak256("ERC3156FlashBorrower.onFlashLoan"));
        IToken(asset).transferFrom(receiver, address(this), amount + fee);
        return true;
    }
}
