"""The dual of optimal routing, by Newton's method on token prices: the kernels behind ``bot.market.routing.solver``.

Every leg segment ``f(d) = y k d / (x + k d)`` is an arbitrageur of its own, who at token prices ``v`` takes
``f(d) v_out - d v_in`` where that is most. With roots of prices ``q = sqrt(v)``, ``near = q_in sqrt(x / k)`` and
``far = q_out sqrt(y)`` the best is ``(far - near)^2`` where far is more than near, else nothing: the input has the
value ``near (far - near)``, the output ``far (far - near)``. The prices at which all of them together gain least are
those of the best set of trades (Angeris, Chitra, Evans, Boyd: Optimal routing for constant function market makers,
2022; Diamandis, Resnick, Chitra, Angeris: An efficient algorithm for optimal routing through constant function market
makers, 2023), and the gradient by log prices is what each token is left over, in value. The second derivative by
relative prices is the Laplacian of a graph in which an active segment joins its two tokens by ``near far / 2``: so a
step solves a sparse Laplacian, factored over an order of elimination that is found once.

Sharp kinks stall Newton's method, so it starts on rounded ones, which are sharpened from step to step; and every token
is held back by ``|net| / radius``, which keeps all steps below ``radius`` and fades as the tokens balance.

Arrays: tokens are numbered in the order of elimination. A segment that ends is the difference of two that do not, so
leg ``e`` has the terms ``lo[e] : hi[e]`` of ``root_x``, ``root_y`` and ``sign``, in the order in which they set in.
"""

from __future__ import annotations

from math import exp

import numpy as np
import numpy.typing as npt

from bot.market.kernels import Floats, kernel

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LONGEST_STEP = 0.5  # of a log price
SHORTEST_SHARE = 1e-8  # of a Newton step, after which the search along it ends
SHARPER, AFTER_A_CUT, SHARPEST = 0.2, 0.6, 1e-7
"""By what the rounding shrinks after a whole Newton step and after a shortened one, and below what it ends."""
NOISE = 1e-12  # of the dual value: what summing it may be off by


@kernel
def evaluate(
    q: Floats,
    stock: Floats,
    leg_in: Ints,
    leg_out: Ints,
    lo: Ints,
    hi: Ints,
    root_x: Floats,
    root_y: Floats,
    sign: Floats,
    soft: float,
    net: Floats,
) -> float:
    """What all legs gain at the price roots ``q``, with the value of ``stock``; ``net`` becomes what each token is
    left over, in value. ``soft`` above 0 rounds the kinks off."""
    total = 0.0
    for t in range(len(q)):
        net[t] = stock[t] * q[t] * q[t]
        total += net[t]
    for e in range(len(leg_in)):
        a, b = leg_in[e], leg_out[e]
        qa, qb = q[a], q[b]
        for s in range(lo[e], hi[e]):
            near, far = qa * root_x[s], qb * root_y[s]
            gap = far - near
            if gap <= -soft * near:
                break
            if gap >= soft * near:
                rounded = soft * near
                gain, given, got = gap * gap + rounded * rounded / 3.0, near * gap - rounded * rounded / 3.0, far * gap
            else:
                inside = gap / near + soft
                gain = near * near * inside * inside * inside / (6.0 * soft)
                got = 0.25 * far * near * inside * inside / soft
                given = got - gain
            total += sign[s] * gain
            net[a] -= sign[s] * given
            net[b] += sign[s] * got
    return total


@kernel
def _assemble(
    q: Floats,
    leg_in: Ints,
    leg_out: Ints,
    lo: Ints,
    hi: Ints,
    root_x: Floats,
    root_y: Floats,
    sign: Floats,
    slot: Ints,
    fixed: Bools,
    soft: float,
    diagonal: Floats,
    lower: Floats,
) -> None:
    """The Laplacian, where ``evaluate`` has its gradient."""
    diagonal[:] = 0.0
    lower[:] = 0.0
    for e in range(len(leg_in)):
        a, b = leg_in[e], leg_out[e]
        qa, qb = q[a], q[b]
        weight = 0.0
        for s in range(lo[e], hi[e]):
            near, far = qa * root_x[s], qb * root_y[s]
            gap = far - near
            if gap <= -soft * near:
                break
            if gap >= soft * near:
                weight += sign[s] * near * far
            else:
                weight += sign[s] * near * far * 0.5 * (gap / near + soft) / soft
        if weight > 0.0:
            weight *= 0.5
            diagonal[a] += weight
            diagonal[b] += weight
            if not fixed[a] and not fixed[b]:
                lower[slot[e]] -= weight


@kernel
def _factor(
    begin: Ints, rows: Ints, diagonal: Floats, lower: Floats, work: Floats, at: Ints, link: Ints, head: Ints
) -> None:
    """L D L^T in place, a column after the other; ``head`` and ``link`` list the columns that reach into the next
    rows (George, Liu: Computer solution of large sparse positive definite systems, 1981)."""
    tokens = len(diagonal)
    head[:] = -1
    for j in range(tokens):
        start, end = begin[j], begin[j + 1]
        for p in range(start, end):
            work[rows[p]] = lower[p]
        pivot = diagonal[j]
        k = head[j]
        while k >= 0:
            following = link[k]
            p, last = at[k], begin[k + 1]
            if lower[p] != 0.0:
                times = lower[p] * diagonal[k]
                pivot -= lower[p] * times
                for at_row in range(p + 1, last):
                    work[rows[at_row]] -= times * lower[at_row]
            if p + 1 < last:
                at[k] = p + 1
                link[k] = head[rows[p + 1]]
                head[rows[p + 1]] = k
            k = following
        diagonal[j] = pivot
        for p in range(start, end):
            lower[p] = work[rows[p]] / pivot
        if start < end:
            at[j] = start
            link[j] = head[rows[start]]
            head[rows[start]] = j


@kernel
def _solve(begin: Ints, rows: Ints, diagonal: Floats, lower: Floats, right: Floats) -> None:
    tokens = len(diagonal)
    for j in range(tokens):
        value = right[j]
        if value != 0.0:
            for p in range(begin[j], begin[j + 1]):
                right[rows[p]] -= lower[p] * value
    for j in range(tokens - 1, -1, -1):
        value = right[j] / diagonal[j]
        for p in range(begin[j], begin[j + 1]):
            value -= lower[p] * right[rows[p]]
        right[j] = value


@kernel
def newton(
    q: Floats,
    least: Floats,
    stock: Floats,
    leg_in: Ints,
    leg_out: Ints,
    lo: Ints,
    hi: Ints,
    root_x: Floats,
    root_y: Floats,
    sign: Floats,
    slot: Ints,
    begin: Ints,
    rows: Ints,
    soft: float,
    radius: float,
    tolerance: float,
    enough: float,
    most: int,
) -> tuple[int, float, float]:
    """Moves the price roots ``q`` to where the gain of all legs and the value of ``stock`` is least.

    ``least`` are the roots below which none may fall, ``stock`` amounts at hand, ``slot`` a leg's place in ``rows``,
    ``soft`` the first rounding. Ends when the value out of balance is below ``tolerance`` of the whole or below
    ``enough``, when rounding lets no step improve on it, or after ``most`` steps. Returns steps, the dual value and
    what is out of balance."""
    tokens = len(q)
    net, trial, ahead, step = np.empty(tokens), np.empty(tokens), np.empty(tokens), np.empty(tokens)
    diagonal, lower, work = np.empty(tokens), np.empty(len(rows)), np.zeros(tokens)
    at, link, head = np.empty(tokens, np.int64), np.empty(tokens, np.int64), np.empty(tokens, np.int64)
    fixed = np.zeros(tokens, np.bool_)
    value = evaluate(q, stock, leg_in, leg_out, lo, hi, root_x, root_y, sign, soft, net)
    off = _unbalanced(q, least, net, fixed)
    for steps in range(most):
        if soft == 0.0 and off <= max(tolerance * value, enough):
            return steps, value, off
        _assemble(q, leg_in, leg_out, lo, hi, root_x, root_y, sign, slot, fixed, soft, diagonal, lower)
        for t in range(tokens):
            step[t] = -net[t]
            diagonal[t] += abs(net[t]) / radius
            if fixed[t] or diagonal[t] <= 0.0:
                diagonal[t] = 1.0
                step[t] = 0.0
        _factor(begin, rows, diagonal, lower, work, at, link, head)
        _solve(begin, rows, diagonal, lower, step)
        slope = 0.0
        for t in range(tokens):
            slope += net[t] * step[t]
        share, improved = 1.0, False
        while not improved and share > SHORTEST_SHARE:
            for t in range(tokens):
                ahead[t] = max(least[t], q[t] * exp(0.5 * share * step[t]))
            after = evaluate(ahead, stock, leg_in, leg_out, lo, hi, root_x, root_y, sign, soft, trial)
            improved = after < value - NOISE * value and after <= value + 1e-4 * share * slope
            if not improved and after <= value + NOISE * value:  # too close for the value to tell
                improved = _unbalanced(ahead, least, trial, fixed) < off
            share *= 0.5
        share *= 2.0
        if not improved and soft == 0.0:
            return steps, value, off
        if improved:
            q[:] = ahead
        radius = min(LONGEST_STEP, 2.0 * radius) if share == 1.0 else radius * max(share, 0.1)
        if soft > 0.0:
            soft *= SHARPER if share == 1.0 else AFTER_A_CUT
            soft = soft if soft > SHARPEST else 0.0
        value = evaluate(q, stock, leg_in, leg_out, lo, hi, root_x, root_y, sign, soft, net)
        off = _unbalanced(q, least, net, fixed)
    return most, value, off


@kernel
def _unbalanced(q: Floats, least: Floats, net: Floats, fixed: Bools) -> float:
    """The value out of balance; ``fixed`` become the tokens at their least price of which something is left."""
    off = 0.0
    for t in range(len(q)):
        fixed[t] = q[t] <= least[t] and net[t] >= 0.0
        if not fixed[t]:
            off += abs(net[t])
    return off


@kernel
def flows(
    q: Floats,
    leg_in: Ints,
    leg_out: Ints,
    lo: Ints,
    hi: Ints,
    root_x: Floats,
    root_y: Floats,
    sign: Floats,
    given: Floats,
    got: Floats,
) -> None:
    """What goes into each leg and comes out of it at the price roots ``q``, in value. A segment that is used up is
    taken as such: the difference of its two terms would lose digits."""
    for e in range(len(leg_in)):
        qa, qb = q[leg_in[e]], q[leg_out[e]]
        given[e] = got[e] = 0.0
        s = lo[e]
        while s < hi[e]:
            near, far = qa * root_x[s], qb * root_y[s]
            if far <= near:
                break
            if s + 1 < hi[e] and sign[s + 1] < 0.0:
                near_end, far_end = qa * root_x[s + 1], qb * root_y[s + 1]
                if far_end > near_end:
                    given[e] += near_end * near_end - near * near
                    got[e] += far * far - far_end * far_end
                    s += 2
                    continue
            given[e] += near * (far - near)
            got[e] += far * (far - near)
            break
