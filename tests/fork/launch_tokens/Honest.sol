// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {ERC20Capped} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Capped.sol";
import {ERC20FlashMint} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20FlashMint.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {ERC20Wrapper} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Wrapper.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

uint256 constant SUPPLY = 1e24;

contract Plain is ERC20 {
    constructor() ERC20("Plain", "PLN") {
        _mint(msg.sender, SUPPLY);
    }
}

contract WithPermit is ERC20Permit {
    constructor() ERC20("Permit", "PRM") ERC20Permit("Permit") {
        _mint(msg.sender, SUPPLY);
    }
}

contract WithVotes is ERC20Permit, ERC20Votes {
    constructor() ERC20("Votes", "VOT") ERC20Permit("Votes") {
        _mint(msg.sender, SUPPLY);
    }

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Votes) {
        super._update(from, to, value);
    }

    function nonces(address owner) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }
}

contract Burnable is ERC20Burnable {
    constructor() ERC20("Burnable", "BRN") {
        _mint(msg.sender, SUPPLY);
    }
}

/// @notice Its owner may mint up to the cap, which is reached.
contract CapReached is ERC20Capped, Ownable {
    constructor() ERC20("Capped", "CAP") ERC20Capped(SUPPLY) Ownable(msg.sender) {
        _mint(msg.sender, SUPPLY);
    }

    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }
}

contract SixDecimals is ERC20 {
    constructor() ERC20("Six", "SIX") {
        _mint(msg.sender, 1e15);
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }
}

contract EightDecimals is ERC20 {
    constructor() ERC20("Eight", "EGT") {
        _mint(msg.sender, 21e14);
    }

    function decimals() public pure override returns (uint8) {
        return 8;
    }
}

contract NoDecimals is ERC20 {
    constructor() ERC20("None", "NUL") {
        _mint(msg.sender, 1e9);
    }

    function decimals() public pure override returns (uint8) {
        return 0;
    }
}

/// @notice Without return values, and with an approval that must go over nothing, as Tether's.
contract NoReturn {
    string public name = "Tether-like";
    string public symbol = "TTH";
    uint8 public decimals = 6;
    uint256 public totalSupply = 1e15;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    event Transfer(address indexed from, address indexed to, uint256 value);

    constructor() {
        balanceOf[msg.sender] = totalSupply;
        emit Transfer(address(0), msg.sender, totalSupply);
    }

    function approve(address spender, uint256 value) external {
        require(value == 0 || allowance[msg.sender][spender] == 0);
        allowance[msg.sender][spender] = value;
    }

    function transfer(address to, uint256 value) external {
        _move(msg.sender, to, value);
    }

    function transferFrom(address from, address to, uint256 value) external {
        uint256 allowed = allowance[from][msg.sender];
        if (allowed != type(uint256).max) allowance[from][msg.sender] = allowed - value;
        _move(from, to, value);
    }

    function _move(address from, address to, uint256 value) private {
        balanceOf[from] -= value;
        balanceOf[to] += value;
        emit Transfer(from, to, value);
    }
}

/// @notice Unchecked sums and public mappings, as solmate's.
contract Lean {
    string public constant name = "Lean";
    string public constant symbol = "LEAN";
    uint8 public constant decimals = 18;
    uint256 public totalSupply = SUPPLY;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    event Transfer(address indexed from, address indexed to, uint256 value);

    constructor() {
        balanceOf[msg.sender] = SUPPLY;
        emit Transfer(address(0), msg.sender, SUPPLY);
    }

    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        return true;
    }

    function transfer(address to, uint256 value) public virtual returns (bool) {
        balanceOf[msg.sender] -= value;
        unchecked {
            balanceOf[to] += value;
        }
        emit Transfer(msg.sender, to, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) public virtual returns (bool) {
        uint256 allowed = allowance[from][msg.sender];
        if (allowed != type(uint256).max) allowance[from][msg.sender] = allowed - value;
        balanceOf[from] -= value;
        unchecked {
            balanceOf[to] += value;
        }
        emit Transfer(from, to, value);
        return true;
    }
}

contract PowerlessOwner is ERC20, Ownable {
    constructor() ERC20("Owned", "OWN") Ownable(msg.sender) {
        _mint(msg.sender, SUPPLY);
    }
}

/// @notice What its owner could do is over: there is none any more.
contract Renounced is ERC20, Ownable {
    bool public paused;

    constructor() ERC20("Renounced", "RNC") Ownable(msg.sender) {
        _mint(msg.sender, SUPPLY);
        renounceOwnership();
    }

    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }

    function setPaused(bool paused_) external onlyOwner {
        paused = paused_;
    }

    function _update(address from, address to, uint256 value) internal override {
        require(!paused);
        super._update(from, to, value);
    }
}

contract MintFinished is ERC20, Ownable {
    bool public mintingFinished;

    constructor() ERC20("Finished", "FIN") Ownable(msg.sender) {
        _mint(msg.sender, SUPPLY);
        mintingFinished = true;
    }

    function mint(address to, uint256 amount) external onlyOwner {
        require(!mintingFinished);
        _mint(to, amount);
    }
}

/// @notice Reflections whose rate is a constant nothing; who is left out of them can be set.
contract NoReflections is Lean, Ownable {
    uint256 public constant taxFee = 0;
    mapping(address => bool) public isExcludedFromFee;

    constructor() Ownable(msg.sender) {}

    function excludeFromFee(address account, bool excluded) external onlyOwner {
        isExcludedFromFee[account] = excluded;
    }

    function transfer(address to, uint256 value) public override returns (bool) {
        uint256 fee = isExcludedFromFee[msg.sender] ? 0 : value * taxFee / 100;
        return super.transfer(to, value - fee);
    }
}

/// @notice Ether wrapped, with some made at first.
contract Wrapped is Lean {
    function deposit() external payable {
        balanceOf[msg.sender] += msg.value;
        totalSupply += msg.value;
        emit Transfer(address(0), msg.sender, msg.value);
    }

    function withdraw(uint256 value) external {
        balanceOf[msg.sender] -= value;
        totalSupply -= value;
        emit Transfer(msg.sender, address(0), value);
        payable(msg.sender).transfer(value);
    }
}

/// @notice Keeps balances where Vyper would: the slot before the key.
contract VyperLike {
    string public constant name = "Vyper-like";
    string public constant symbol = "VYP";
    uint256 public constant decimals = 18;
    uint256 public constant totalSupply = SUPPLY;
    mapping(address => mapping(address => uint256)) public allowance;

    event Transfer(address indexed sender, address indexed receiver, uint256 value);

    constructor() {
        _set(msg.sender, SUPPLY);
        emit Transfer(address(0), msg.sender, SUPPLY);
    }

    function balanceOf(address owner) public view returns (uint256 value) {
        bytes32 slot = keccak256(abi.encode(uint256(3), owner));
        assembly {
            value := sload(slot)
        }
    }

    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        return true;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        return _move(msg.sender, to, value);
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        allowance[from][msg.sender] -= value;
        return _move(from, to, value);
    }

    function _move(address from, address to, uint256 value) private returns (bool) {
        _set(from, balanceOf(from) - value);
        _set(to, balanceOf(to) + value);
        emit Transfer(from, to, value);
        return true;
    }

    function _set(address owner, uint256 value) private {
        bytes32 slot = keccak256(abi.encode(uint256(3), owner));
        assembly {
            sstore(slot, value)
        }
    }
}

/// @notice With hooks before and after a transfer that do nothing.
contract IdleHooks is ERC20 {
    constructor() ERC20("Hooks", "HKS") {
        _mint(msg.sender, SUPPLY);
    }

    function _update(address from, address to, uint256 value) internal override {
        _beforeTokenTransfer(from, to, value);
        super._update(from, to, value);
        _afterTokenTransfer(from, to, value);
    }

    function _beforeTokenTransfer(address, address, uint256) internal virtual {}
    function _afterTokenTransfer(address, address, uint256) internal virtual {}
}

/// @notice Its owner takes snapshots of balances.
contract Snapshots is ERC20, Ownable {
    uint256 public current;
    mapping(uint256 => mapping(address => uint256)) private _balances;

    constructor() ERC20("Snapshots", "SNP") Ownable(msg.sender) {
        _mint(msg.sender, SUPPLY);
    }

    function snapshot() external onlyOwner returns (uint256) {
        return ++current;
    }

    function balanceOfAt(address owner, uint256 id) external view returns (uint256) {
        return _balances[id][owner];
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        _balances[current][from] = balanceOf(from);
        _balances[current][to] = balanceOf(to);
    }
}

/// @notice Stands for another token, one for one, for anybody.
contract Bridged is ERC20Wrapper {
    constructor() ERC20("Bridged", "BRG") ERC20Wrapper(IERC20(address(new Plain()))) {
        _mint(msg.sender, SUPPLY);
    }
}

contract Metadata is ERC20, Ownable {
    string public website;
    string private _symbolNow = "META";

    constructor() ERC20("Metadata", "META") Ownable(msg.sender) {
        _mint(msg.sender, SUPPLY);
    }

    function setWebsite(string calldata website_) external onlyOwner {
        website = website_;
    }

    function setSymbol(string calldata symbol_) external onlyOwner {
        _symbolNow = symbol_;
    }

    function symbol() public view override returns (string memory) {
        return _symbolNow;
    }
}

/// @notice Its limits were for the first three blocks.
contract AntiSnipeOver is ERC20, Ownable {
    uint256 public immutable launched = block.number;

    constructor() ERC20("AntiSnipe", "SNI") Ownable(msg.sender) {
        _mint(msg.sender, SUPPLY);
    }

    function _update(address from, address to, uint256 value) internal override {
        if (block.number < launched + 3 && from != owner() && to != owner() && from != address(0)) {
            require(value <= SUPPLY / 1000, "max tx");
        }
        super._update(from, to, value);
    }
}

contract LendsItself is ERC20FlashMint {
    constructor() ERC20("Flash", "FLSH") {
        _mint(msg.sender, SUPPLY);
    }
}

/// @notice To be cloned by a minimal proxy; `start` once only.
contract Clonable is Lean {
    bool private _started = true;

    function start(address to) external {
        require(!_started);
        _started = true;
        totalSupply = SUPPLY;
        balanceOf[to] = SUPPLY;
        emit Transfer(address(0), to, SUPPLY);
    }
}

contract Cloned {
    constructor() {
        Clonable model = new Clonable();
        bytes memory code = abi.encodePacked(hex"363d3d373d3d3d363d73", model, hex"5af43d82803e903d91602b57fd5bf3");
        bytes memory begin = abi.encodeWithSelector(Clonable.start.selector, msg.sender);
        (bool success,) = address(model).delegatecall(begin);
        require(success);
        assembly {
            return(add(code, 32), mload(code))
        }
    }
}
