//! Litmus tests of address dependencies, and of what is none.

use super::*;

/// What is read is a pointer to what is accessed: an address dependency. It orders a read too
/// (litmus-tests/MP+onceassign+derefonce.litmus), which a branch does not; and that one access
/// alone.
pub fn address_dependencies() -> Vec<Litmus> {
    const MP: &[(usize, usize, u64)] = &[(1, 0, 1), (1, 1, 0)];
    const S: &[(usize, usize, u64)] = &[(1, 0, 1)];
    let control = Barrier(Fence::Control);
    let after = |x: u64, reader: Vec<Instr>| vec![vec![w(X, x), WMB, w(Y, 1)], reader];
    let other = &[(1, 0, 1), (1, 2, 0)];
    vec![
        reads("MP+wmb+addr", after(1, vec![r(Y), ADDR, r(X)]), MP, Never),
        reads("MP+wmb+control", after(1, vec![r(Y), control, r(X)]), MP, Sometimes),
        reads("MP+wmb+addr to another", after(1, vec![r(Y), ADDR, r(Z), r(X)]), other, Sometimes),
        reads("MP+wmb+addr of another", after(1, vec![r(Y), r(Z), ADDR, r(X)]), other, Sometimes),
        finals("S+wmb+addr", after(2, vec![r(Y), ADDR, w(X, 1)]), S, &[(X, 2)], Never),
        finals(
            "S+wmb+addr to another",
            after(2, vec![r(Y), ADDR, w(Z, 1), w(X, 1)]),
            S,
            &[(X, 2)],
            Sometimes,
        ),
    ]
}
