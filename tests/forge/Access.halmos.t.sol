// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IExecutor} from "../../contracts/interfaces/IExecutor.sol";
import {Program} from "../../contracts/libraries/Program.sol";

/// @notice Wrapped ETH, as far as a program without steps goes.
contract StillWeth {
    function balanceOf(address) external pure returns (uint256) {
        return 1 ether;
    }

    function transfer(address, uint256) external pure returns (bool) {
        return true;
    }
}

/// @notice A pool that, asked to swap, has someone call the executor with some data before it calls back itself.
contract ForgingPool is Test {
    address private immutable EXECUTOR;
    address private caller;
    bytes private data;
    bool public accepted;
    bool public calledBack;

    constructor(address executor) {
        EXECUTOR = executor;
    }

    function set(address caller_, bytes calldata data_) external {
        (caller, data) = (caller_, data_);
    }

    function swap(address, bool, int256, uint160, bytes calldata nested) external returns (int256, int256) {
        vm.prank(caller);
        (accepted,) = EXECUTOR.call(data);
        (calledBack,) = EXECUTOR.call(
            abi.encodeWithSignature(
                "uniswapV3SwapCallback(int256,int256,bytes)", int256(1), int256(-1), nested
            )
        );
        return (0, 0);
    }
}

/// @notice Who gets in, proved for every caller and all calldata of some lengths, on the executor as it is compiled.
/// Run by `make symbolic`, which runs halmos (see halmos.toml); forge does not run these.
contract AccessHalmos is Test {
    address private constant OWNER = address(0xa11ce);
    address private constant OPERATOR = address(0xb0b);
    bytes private constant NESTED = hex"68000000000000000000000000";

    address private executor;
    address private weth;
    ForgingPool private pool;

    function setUp() public {
        weth = address(new StillWeth());
        executor = deployCode("Executor.sol:Executor", abi.encode(OWNER, weth));
        vm.prank(OWNER);
        IExecutor(executor).setOperator(OPERATOR, true);
        pool = new ForgingPool(executor);
    }

    function isView(bytes memory data) private pure returns (bool) {
        bytes4 selector = bytes4(data);
        return data.length >= 4
            && (selector == IExecutor.owner.selector
                || selector == IExecutor.WETH.selector
                || selector == IExecutor.isOperator.selector);
    }

    /// @dev A stranger's call is a view, or reverts; with ETH it reverts.
    function check_strangersGetNothing(address who, bytes calldata data, uint96 value) public {
        vm.assume(who != OWNER && who != OPERATOR && who != weth && who != executor && who != address(0));
        vm.deal(who, value);
        vm.prank(who);
        (bool success,) = executor.call{value: value}(data);
        assert(!success || (value == 0 && isView(data)));
    }

    /// @dev So is what an operator calls that is no program.
    function check_operatorsDoNotAdminister(bytes calldata data, uint96 value) public {
        vm.assume(data.length != 0 && uint8(data[0]) >= Program.FIRST_SELECTOR);
        vm.deal(OPERATOR, value);
        vm.prank(OPERATOR);
        (bool success,) = executor.call{value: value}(data);
        assert(!success || (value == 0 && isView(data)));
    }

    /// @dev WETH may send ETH, and do nothing else.
    function check_wethSendsEthOnly(bytes calldata data, uint96 value) public {
        vm.deal(weth, value);
        vm.prank(weth);
        (bool success,) = executor.call{value: value}(data);
        assert(!success || data.length == 0 || (value == 0 && isView(data)));
    }

    /// @dev ETH is taken from WETH alone, whoever else sends it.
    function check_ethOnlyFromWeth(address who, bytes calldata data, uint96 value) public {
        vm.assume(value != 0 && who != weth && who != executor && who != address(0));
        vm.deal(who, value);
        vm.prank(who);
        (bool success,) = executor.call{value: value}(data);
        assert(!success);
    }

    /// @dev Who is an operator changes by the owner's call of that name only.
    function check_onlyTheOwnerSetsOperators(address who, address operator, bool allowed, address other)
        public
    {
        bool before = IExecutor(executor).isOperator(other);
        vm.prank(who);
        (bool success,) = executor.call(abi.encodeCall(IExecutor.setOperator, (operator, allowed)));
        assert(success == (who == OWNER));
        bool expected = who == OWNER && operator == other ? allowed : before;
        assert(IExecutor(executor).isOperator(other) == expected);
    }

    function check_onlyTheOwnerWithdraws(address who, uint256 amount) public {
        vm.assume(who != OWNER);
        vm.deal(executor, 1 ether);
        vm.startPrank(who);
        (bool token,) = executor.call(abi.encodeCall(IExecutor.withdrawToken, (weth, amount)));
        (bool eth,) = executor.call(abi.encodeCall(IExecutor.withdrawEth, (amount)));
        vm.stopPrank();
        assert(!token && !eth && executor.balance == 1 ether);
    }

    // --- the guard ---------------------------------------------------------------------------------------------------

    /// @dev The owner's trade with the pool, in which that is tried. It does not end the trade.
    function run(address caller, bytes memory data) private {
        pool.set(caller, data);
        bytes memory step = abi.encodePacked(
            uint8(Program.V3_SWAP), hex"ff", address(pool), uint96(1), uint16(NESTED.length), NESTED
        );
        vm.prank(OWNER);
        (bool success,) = executor.call(abi.encodePacked(uint8(0), step));
        assert(success && (pool.accepted() || pool.calledBack()));
    }

    /// @dev While the pool is awaited nobody else is let in, with the right program or any other; then the pool is.
    function check_nobodyElseCallsBack(address caller, bytes calldata program) public {
        vm.assume(caller != address(pool) && caller != OWNER);
        run(caller, callback(program));
        assert(!pool.accepted() || collides(caller, program));
    }

    /// @dev Nor the pool itself with another program.
    function check_noOtherProgramRuns(bytes calldata program) public {
        vm.assume(program.length != NESTED.length || keccak256(program) != keccak256(NESTED));
        run(address(pool), callback(program));
        assert(!pool.accepted() || collides(address(pool), program));
    }

    /// @dev Nor raw calldata of any kind, in which the length's place holds another number.
    function check_noOtherCallRuns(address caller, bytes4 selector, bytes32[3] calldata words, bytes32 rest)
        public
    {
        vm.assume(caller != OWNER);
        uint256[5] memory lengths = [uint256(0), 1, NESTED.length - 1, NESTED.length + 1, 32];
        for (uint256 i = 0; i < lengths.length; ++i) {
            run(caller, abi.encodePacked(selector, words[0], words[1], words[2], lengths[i], rest));
            assert(!pool.accepted() || collides(caller, part(rest, lengths[i])));
        }
    }

    function part(bytes32 rest, uint256 length) private pure returns (bytes memory data) {
        data = abi.encodePacked(rest);
        assembly {
            mstore(data, length)
        }
    }

    function callback(bytes memory program) private pure returns (bytes memory) {
        return
            abi.encodeWithSignature(
                "uniswapV3SwapCallback(int256,int256,bytes)", int256(1), int256(-1), program
            );
    }

    /// @dev The guard holds 240 bits of a hash; the proof is that nothing else but these can let in a forgery.
    function collides(address caller, bytes memory program) private view returns (bool) {
        bytes32 awaited = keccak256(abi.encodePacked(uint256(uint160(address(pool))), NESTED));
        bytes32 forged = keccak256(abi.encodePacked(uint256(uint160(caller)), program));
        return uint240(uint256(awaited)) == uint240(uint256(forged));
    }
}
