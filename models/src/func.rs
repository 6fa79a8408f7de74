//! A function that trees differ in, with its name.

use std::fmt;
use std::ops::Deref;

/// A function and its name: what is called, and what is compared and printed. The address of a
/// function is neither: the linker may merge two with equal bodies, and a function that is compiled
/// twice has two.
///
/// It is called like the function itself: `(k.tree.swap.lru_cache_disable())(k)`.
#[derive(Clone, Copy)]
pub struct Func<F> {
    name: &'static str,
    call: F,
}

impl<F> Func<F> {
    /// The function `call`, whose name is `name`: see [`func!`](crate::func).
    pub const fn new(name: &'static str, call: F) -> Func<F> {
        Func { name, call }
    }
}

impl<F> Deref for Func<F> {
    type Target = F;

    fn deref(&self) -> &F {
        &self.call
    }
}

impl<F> PartialEq for Func<F> {
    fn eq(&self, other: &Func<F>) -> bool {
        self.name == other.name
    }
}

impl<F> Eq for Func<F> {}

/// Its name.
impl<F> fmt::Debug for Func<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The function of this name, as a [`Func`].
#[macro_export]
macro_rules! func {
    ($name:ident) => {
        $crate::Func::new(stringify!($name), $name)
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> u32 {
        1
    }

    /// The same body: one address, if the linker likes.
    fn another() -> u32 {
        1
    }

    #[test]
    fn a_function_is_its_name() {
        let [a, b]: [Func<fn() -> u32>; 2] = [func!(one), func!(another)];
        assert_ne!(a, b);
        let again: Func<fn() -> u32> = func!(one);
        assert_eq!(a, again);
        assert_eq!(format!("{a:?} {b:?}"), "one another");
        assert_eq!(a(), b());
    }
}
