// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The executor's outside: what its owner calls by name, and why it refuses
/// @notice The contract itself has one entry, its fallback, so that a trade pays for no dispatch. A call that is
/// not a program is looked up there by the selectors of this interface. Use this interface's ABI with it.
///
/// A trade is a call whose data is a program (see `Program`): its first byte is below 0x40, which no selector of
/// this interface is.
interface IExecutor {
    // --- errors ------------------------------------------------------------------------------------------------

    /// @notice The caller may not do this: only the owner administers, only the owner and operators trade.
    error Unauthorized(address caller);
    /// @notice ETH came from somewhere else than WETH, or with a call.
    error EthRefused(address sender);
    /// @notice A call came in while a callback is awaited, and it is not that one: another caller, another
    /// program, or the same callback a second time.
    error WrongCallback(address caller);
    /// @notice A pool or lender returned without having called back.
    error CallbackMissing(address target);
    /// @notice The program's block is over.
    error Expired(uint256 deadline);
    /// @notice A bid of more than 10,000 basis points.
    error BidAboveGain(uint256 share);
    /// @notice The executor has less ETH than at the start.
    error EthSpent(uint256 atStart, uint256 atEnd);
    /// @notice The balance of `token` did not reach `atStart` + `minimum`.
    error BelowMinimum(address token, uint256 atStart, uint256 atEnd, uint256 minimum);
    /// @notice The program spends a token that it has not declared, so whose balance is not checked at the end.
    error Undeclared(address token);
    /// @notice A declared token has no readable balance.
    error NotAToken(address token);
    /// @notice A route ends with a pool that the book does not know to pay WETH.
    error NotInBook();
    /// @notice The last pool of a route gives less than it must: `least`.
    error BelowPromise(uint256 got, uint256 least);
    /// @notice No step begins with this byte.
    error UnknownStep(uint256 head);
    /// @notice The interface has no such function.
    error UnknownFunction(bytes4 selector);
    /// @notice A call of a step failed with `reason`.
    error CallFailed(address target, bytes reason);
    /// @notice `target` answered a call with an error code.
    error Refused(address target, uint256 code);
    /// @notice WETH must be a contract, and the owner somebody.
    error BadConstruction();

    // --- events ------------------------------------------------------------------------------------------------

    /// @notice `operator` may trade from now on, or no more.
    event OperatorSet(address indexed operator, bool allowed);
    /// @notice The owner took `amount` of `token`; the zero address is ETH.
    event Withdrawn(address indexed token, uint256 amount);

    // --- owner -------------------------------------------------------------------------------------------------

    /// @notice Lets `operator` trade, or stops it. An operator can run programs, and no program can lower the
    /// executor's balance of any token. Only the owner.
    function setOperator(address operator, bool allowed) external;

    /// @notice Sends `amount` of `token` to the owner. Only the owner.
    function withdrawToken(address token, uint256 amount) external;

    /// @notice Sends `amount` wei of ETH to the owner. Only the owner.
    function withdrawEth(uint256 amount) external;

    // --- views -------------------------------------------------------------------------------------------------

    /// @notice The account that alone administers and withdraws, set for ever at construction.
    function owner() external view returns (address);

    /// @notice Wrapped ETH: the token of a program's checks and tips, and the only sender of ETH.
    function WETH() external view returns (address);

    /// @notice Whether `account` may trade beside the owner.
    function isOperator(address account) external view returns (bool);
}
