// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice An ordinary token.
contract PlainToken is ERC20("Plain", "PLN") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @notice Returns nothing from transfer and approve, as USDT does.
contract SilentToken {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }
}

/// @notice Takes one percent of every transfer.
contract FeeToken is ERC20("Fee", "FEE") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (from == address(0)) return super._update(from, to, amount);
        super._update(from, address(0xdead), amount / 100);
        super._update(from, to, amount - amount / 100);
    }
}

/// @notice Says no, instead of reverting.
contract FalseToken is ERC20("False", "NO") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function transfer(address, uint256) public pure override returns (bool) {
        return false;
    }
}

/// @notice Calls an accomplice on every transfer, as an ERC-777 does.
contract HookToken is ERC20("Hook", "HOOK") {
    address public hook;
    bytes public data;
    bool public hookSucceeded;
    bool public hookRan;
    bool private inHook; // it calls once, not of what its call brings about

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setHook(address hook_, bytes calldata data_) external {
        (hook, data) = (hook_, data_);
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (hook == address(0) || inHook) return;
        (hookRan, inHook) = (true, true);
        (hookSucceeded,) = hook.call{gas: 3_000_000}(data);
        inHook = false;
    }
}

/// @notice Reverts on every transfer.
contract RevertingToken is PlainToken {
    error No();

    function _update(address from, address to, uint256 amount) internal override {
        if (from != address(0)) revert No();
        super._update(from, to, amount);
    }
}

/// @notice Ten percent arrive, unless the token's owner sends: what bots are baited with.
contract Salmonella is PlainToken {
    address private immutable OWNER = msg.sender;

    function _update(address from, address to, uint256 amount) internal override {
        if (from == address(0) || from == OWNER) return super._update(from, to, amount);
        super._update(from, to, amount / 10);
    }
}

/// @notice Every balance shrinks by a percent at each transfer, or grows.
contract RebasingToken is PlainToken {
    uint256 public scale = 1e18;
    bool public grows;

    function setGrows(bool grows_) external {
        grows = grows_;
    }

    function balanceOf(address account) public view override returns (uint256) {
        return super.balanceOf(account) * scale / 1e18;
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount * 1e18 / scale);
        if (from != address(0)) scale = grows ? scale * 101 / 100 : scale * 99 / 100;
    }
}

/// @notice Answers with more than anybody wants to pay for.
contract LoudToken is PlainToken {
    uint256 public size;
    bool public reverts;

    function set(uint256 size_, bool reverts_) external {
        (size, reverts) = (size_, reverts_);
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        super.transfer(to, amount);
        uint256 length = size;
        bool fails = reverts;
        assembly {
            mstore(0, 1)
            if fails { revert(0, length) }
            return(0, length)
        }
    }
}
