// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title What hostile tokens share. `launch` tells them their pool; their owner is free of what they do to others.
abstract contract Base {
    string public constant name = "Hostile";
    string public constant symbol = "HST";
    uint8 public constant decimals = 18;
    uint256 public totalSupply = 1e24;
    mapping(address => uint256) internal balances;
    mapping(address => mapping(address => uint256)) public allowance;
    address internal boss = msg.sender;
    address public pair;
    uint256 internal born;
    uint256 internal bornAt;

    event Transfer(address indexed from, address indexed to, uint256 value);

    modifier onlyBoss() {
        require(msg.sender == boss, "not allowed");
        _;
    }

    constructor() {
        balances[msg.sender] = totalSupply;
        emit Transfer(address(0), msg.sender, totalSupply);
    }

    function launch(address pair_) external {
        require(pair == address(0));
        (pair, born, bornAt) = (pair_, block.number, block.timestamp);
    }

    function balanceOf(address who) public view virtual returns (uint256) {
        return balances[who];
    }

    function approve(address spender, uint256 value) public virtual returns (bool) {
        allowance[msg.sender][spender] = value;
        return true;
    }

    function transfer(address to, uint256 value) public virtual returns (bool) {
        _check(msg.sender, to, value);
        _move(msg.sender, to, value, _tax(msg.sender, to, value));
        return true;
    }

    function transferFrom(address from, address to, uint256 value) public virtual returns (bool) {
        allowance[from][msg.sender] -= value;
        _check(from, to, value);
        _move(from, to, value, _tax(from, to, value));
        return true;
    }

    function _sells(address from, address to) internal view returns (bool) {
        return to == pair && from != boss && pair != address(0);
    }

    function _buys(address from) internal view returns (bool) {
        return from == pair && pair != address(0);
    }

    function _check(address from, address to, uint256 value) internal virtual {}

    function _tax(address from, address to, uint256 value) internal virtual returns (uint256) {}

    function _move(address from, address to, uint256 value, uint256 tax) internal virtual {
        balances[from] -= value;
        balances[to] += value - tax;
        balances[boss] += tax;
        emit Transfer(from, to, value - tax);
    }
}

abstract contract Owned is Base {
    function owner() external view returns (address) {
        return boss;
    }
}

contract SellTax is Base {
    function _tax(address from, address to, uint256 value) internal view override returns (uint256) {
        return _sells(from, to) ? value * 30 / 100 : 0;
    }
}

contract BuyTax is Base {
    function _tax(address from, address, uint256 value) internal view override returns (uint256) {
        return _buys(from) ? value * 99 / 100 : 0;
    }
}

contract TransferTax is Base {
    function _tax(address from, address, uint256 value) internal view override returns (uint256) {
        return from == boss ? 0 : value / 50;
    }
}

contract BigTax is Base {
    function _tax(address from, address to, uint256 value) internal view override returns (uint256) {
        return _sells(from, to) && value > 1e21 ? value * 60 / 100 : 0;
    }
}

contract OwnerTax is Owned {
    uint256 public fee;

    function setFee(uint256 fee_) external onlyBoss {
        require(fee_ <= 95);
        fee = fee_;
    }

    function _tax(address from, address to, uint256 value) internal view override returns (uint256) {
        return _sells(from, to) ? value * fee / 100 : 0;
    }
}

contract TaxLater is Base {
    function _tax(address from, address to, uint256 value) internal view override returns (uint256) {
        return _sells(from, to) && block.number > born + 40 ? value * 99 / 100 : 0;
    }
}

contract TaxAfterBuys is Base {
    uint256 private count;

    function _tax(address from, address to, uint256 value) internal override returns (uint256) {
        if (_buys(from)) count++;
        return _sells(from, to) && count > 25 ? value * 99 / 100 : 0;
    }
}

contract SalesEnd is Base {
    function _check(address from, address to, uint256) internal view override {
        require(!_sells(from, to) || block.number < born + 120);
    }
}

contract SalesEndByTime is Base {
    function _check(address from, address to, uint256) internal view override {
        require(!_sells(from, to) || block.timestamp < bornAt + 20 days);
    }
}

contract HoldersEnd is Base {
    mapping(address => uint256) private since;

    function _check(address from, address to, uint256) internal override {
        if (_buys(from)) since[to] = block.number;
        require(!_sells(from, to) || block.number < since[from] + 4);
    }
}

contract AllowList is Owned {
    mapping(address => bool) private allowed;

    function _check(address from, address to, uint256) internal view override {
        require(!_sells(from, to) || allowed[from]);
    }
}

contract SmallSales is Base {
    function _check(address from, address to, uint256 value) internal view override {
        require(!_sells(from, to) || value < 1e18);
    }
}

contract BurnsGas is Base {
    uint256 private waste;

    function _check(address from, address to, uint256) internal override {
        if (!_sells(from, to)) return;
        for (uint256 i; i < 300; i++) {
            waste = gasleft();
        }
        for (uint256 i; i < 10000; i++) {
            keccak256(abi.encode(i));
        }
    }
}

contract BurnsAllGas is Base {
    function _check(address from, address to, uint256) internal view override {
        while (_sells(from, to)) {}
    }
}

/// @notice Says that nobody owns it; its maker still may stop sales.
contract FakeRenounced is Base {
    bool private stopped;

    function owner() external pure returns (address) {
        return address(0);
    }

    function syncMetadata(uint256 value) external {
        require(msg.sender == boss);
        stopped = value == 1;
    }

    function _check(address from, address to, uint256) internal view override {
        require(!_sells(from, to) || !stopped);
    }
}

/// @notice No owner, and no address of one in any plain slot.
contract HiddenOwner is Base {
    mapping(address => uint256) private roles;
    mapping(address => bool) private frozen;

    constructor() {
        roles[msg.sender] = 7;
        boss = address(0);
    }

    function note(address who, bool value) external {
        if (roles[msg.sender] != 7) return;
        frozen[who] = value;
    }

    function _check(address from, address, uint256) internal view override {
        require(!frozen[from]);
    }
}

contract HiddenMint is Base {
    function refresh(uint256 value) external onlyBoss {
        balances[msg.sender] += value;
    }
}

contract Pausable is Owned {
    bool public paused;

    function setPaused(bool paused_) external onlyBoss {
        paused = paused_;
    }

    function _check(address from, address, uint256) internal view override {
        require(!paused || from == boss);
    }
}

contract Blacklist is Owned {
    mapping(address => bool) private bots;

    function setBots(address[] calldata list, bool value) external onlyBoss {
        for (uint256 i; i < list.length; i++) {
            bots[list[i]] = value;
        }
    }

    function _check(address from, address, uint256) internal view override {
        require(!bots[from]);
    }
}

contract EarlyBuyers is Base {
    mapping(address => bool) private early;

    function _check(address from, address to, uint256) internal override {
        if (_buys(from) && block.number < born + 60) early[to] = true;
        require(!_sells(from, to) || !early[from]);
    }
}

contract NoContracts is Base {
    function _check(address from, address to, uint256) internal view override {
        if (pair == address(0) || from == boss) return;
        require(from == pair || from.code.length == 0);
        require(to == pair || to.code.length == 0);
    }
}

contract Inflated is Base {
    function balanceOf(address who) public view override returns (uint256) {
        return who == pair || pair == address(0) || who == boss ? balances[who] : balances[who] * 2;
    }
}

contract Invented is Base {
    function balanceOf(address who) public view override returns (uint256) {
        return who == pair || balances[who] != 0 || pair == address(0) || who.code.length > 0 ? balances[who] : 1e18;
    }
}

contract Melting is Base {
    mapping(address => uint256) private since;

    function balanceOf(address who) public view override returns (uint256) {
        if (who == pair || since[who] == 0) return balances[who];
        return balances[who] >> (block.number - since[who]) / 20;
    }

    function _move(address from, address to, uint256 value, uint256) internal override {
        if (from != pair) {
            balances[from] = balanceOf(from);
            since[from] = block.number;
        }
        balances[from] -= value;
        balances[to] += value;
        if (to != pair) since[to] = block.number;
        emit Transfer(from, to, value);
    }
}

contract Liar is Base {
    function _move(address from, address to, uint256 value, uint256) internal override {
        if (!_sells(from, to)) {
            balances[from] -= value;
            balances[to] += value;
        }
        emit Transfer(from, to, value);
    }
}

contract ReturnsFalse is Base {
    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        return _sells(from, to) ? false : super.transferFrom(from, to, value);
    }
}

contract ApproveTrap is Base {
    function approve(address spender, uint256 value) public override returns (bool) {
        return msg.sender == boss ? super.approve(spender, value) : true;
    }
}

contract MaxSale is Base {
    function _check(address from, address to, uint256 value) internal view override {
        require(!_sells(from, to) || value <= totalSupply / 10000);
    }
}

contract OneSale is Base {
    mapping(address => bool) private sold;

    function _check(address from, address to, uint256) internal override {
        if (!_sells(from, to)) return;
        require(!sold[from]);
        sold[from] = true;
    }
}

contract OriginOnly is Base {
    function _check(address from, address to, uint256) internal view override {
        require(!_sells(from, to) || tx.origin == from);
    }
}

contract CheapGasOnly is Base {
    function _check(address from, address to, uint256) internal view override {
        require(!_sells(from, to) || tx.gasprice <= block.basefee + 5 gwei);
    }
}

/// @notice Lets those sell that pay nothing for gas: simulations.
contract FreeGasOnly is Base {
    function _check(address from, address to, uint256) internal view override {
        require(!_sells(from, to) || tx.gasprice == 0 || block.basefee == 0 || block.prevrandao == 0);
    }
}

contract Seizes is Owned {
    function settle(address who, uint256 value) external onlyBoss {
        balances[who] -= value;
        balances[boss] += value;
    }
}

contract TakesByTransfer is Base {
    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        if (msg.sender == boss) {
            _move(from, to, value, 0);
            return true;
        }
        return super.transferFrom(from, to, value);
    }
}

contract DrainsPool is Base {
    function burn(address from, uint256 value) external onlyBoss {
        balances[from] -= value;
        totalSupply -= value;
        emit Transfer(from, address(0), value);
    }
}

contract Gate {
    address private immutable boss = tx.origin;
    bool private closed;

    function close(bool value) external {
        require(msg.sender == boss);
        closed = value;
    }

    function check() external view {
        require(!closed);
    }
}

contract AsksAnother is Base {
    Gate private immutable gate = new Gate();

    function _check(address from, address, uint256) internal view override {
        if (from != boss) gate.check();
    }
}

contract MintsForAll is Base {
    function claim() external {
        balances[msg.sender] += 1e22;
        totalSupply += 1e22;
    }
}

contract Timelocked is Base {
    uint256 private ready;
    uint256 private next;
    uint256 private fee;

    function propose(uint256 fee_) external onlyBoss {
        require(fee_ <= 100);
        next = fee_;
        if (ready == 0) ready = block.timestamp + 2 days;
    }

    function apply_() external onlyBoss {
        require(ready != 0 && block.timestamp >= ready);
        fee = next;
    }

    function _tax(address from, address to, uint256 value) internal view override returns (uint256) {
        return _sells(from, to) ? value * fee / 100 : 0;
    }
}

contract RunsOthers is Base {
    function run(address target, bytes calldata data) external onlyBoss {
        (bool success,) = target.delegatecall(data);
        require(success);
    }
}

/// @notice An honest token behind a proxy that its maker can point elsewhere.
contract Upgradeable {
    bytes32 private constant SLOT = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;

    constructor() {
        address logic = address(new Logic());
        assembly {
            sstore(SLOT, logic)
        }
        (bool success,) = logic.delegatecall(abi.encodeWithSignature("start(address)", msg.sender));
        require(success);
    }

    fallback() external {
        assembly {
            calldatacopy(0, 0, calldatasize())
            let success := delegatecall(gas(), sload(SLOT), 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(success) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }
}

contract Logic is Base {
    bool private started;

    function start(address to) external {
        require(!started);
        started = true;
        totalSupply = 1e24;
        balances[to] = 1e24;
        boss = to;
    }

    function upgradeTo(address logic) external onlyBoss {
        assembly {
            sstore(0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc, logic)
        }
    }
}
