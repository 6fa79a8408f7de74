//! Whether two functions of a scenario do the same.
//!
//! Functions have no identity. A compiler may give two functions one address only if they are the
//! same instructions, and may give one function two addresses. So those that have one address do
//! the same; of those that have two nothing is known, and they are taken for different. Nothing may
//! depend on that but work: what is taken for different is searched twice, with the same verdicts.

/// Have these functions, of one type, one address?
macro_rules! are_same_code {
    ($one:expr, $other:expr) => {
        std::ptr::fn_addr_eq($one, $other)
    };
}

pub(crate) use are_same_code;
