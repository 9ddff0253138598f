// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC20FlashMint} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20FlashMint.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";

/// @title OpenZeppelin's token that lends itself by ERC-3156, for a fee in millionths, which `receiver` gets or, if
/// that is nobody, which is burnt.
contract VenueFlashMint is ERC20FlashMint {
    uint256 private immutable fee;
    address private immutable receiver;

    constructor(uint256 fee_, address receiver_) ERC20("Flash", "FLASH") {
        (fee, receiver) = (fee_, receiver_);
        _mint(msg.sender, 1e30);
    }

    function _flashFee(address, uint256 value) internal view override returns (uint256) {
        return value * fee / 1e6;
    }

    function _flashFeeReceiver() internal view override returns (address) {
        return receiver;
    }
}

/// @title OpenZeppelin's vault.
contract VenueVault is ERC4626 {
    constructor(IERC20 asset_) ERC20("Vault", "VAULT") ERC4626(asset_) {}
}
