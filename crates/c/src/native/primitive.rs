//! What the name of an atomic or a bit operation says of it (Documentation/atomic_t.txt,
//! Documentation/atomic_bitops.txt): its ordering, and what it commutes with.

use selvedge_explore::Commutes;
use selvedge_trace::Order;

/// An access that a wrapper of the kernel's announces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Primitive {
    /// As the kernel spells it.
    pub name: &'static str,
    /// The ordering that its name stands for.
    pub order: Order,
    /// Which of its like it commutes with, if it returns nothing.
    pub commutes: Commutes,
    /// Whether it stores without a look.
    pub is_store: bool,
    /// Whether it is about the lowest byte of its word: the lock bit, and the sign, which says that
    /// there are waiters.
    pub is_of_lowest_byte: bool,
    /// Whether it comes with a volatile access, on x86-64. A load and a store are one; what x86 has
    /// no instruction for is a look and a compare-and-exchange; so is `test_bit()` of a constant
    /// bit.
    pub begins_with_a_look: bool,
}

impl Primitive {
    /// A plain access that carries an order.
    pub const fn accessing(name: &'static str, order: Order) -> Primitive {
        let (commutes, is_store) = (Commutes::No, false);
        let (is_of_lowest_byte, begins_with_a_look) = (false, false);
        Primitive { name, order, commutes, is_store, is_of_lowest_byte, begins_with_a_look }
    }

    /// What is known by the name, without the underscores in front.
    pub fn named(name: &'static str) -> Primitive {
        let has = |part: &str| name.contains(part);
        let ends = |part: &str| name.ends_with(part);
        let returns = ["_return", "fetch_", "_test", "test_and_", "xchg", "unless", "not_zero"];
        let returns = returns.into_iter().chain(["if_positive", "negative", "_read"]).any(has);
        let is_known = has("atomic") || has("bit");
        let order = match () {
            () if ends("_relaxed") => Order::Relaxed,
            () if ends("_acquire") || has("test_and_set_bit_lock") => Order::Acquire,
            () if ends("_release") || has("_unlock") => Order::Release,
            () if has("_read") || name == "test_bit" => Order::Relaxed,
            () if returns || !is_known => Order::Full,
            () => Order::Relaxed,
        };
        let is_sum = ["_inc", "_dec", "_add", "_sub"].into_iter().any(has);
        let commutes = match () {
            () if returns || !is_known => Commutes::No,
            () if has("atomic") && is_sum => Commutes::Add,
            () if name == "set_bit" || ends("_or") => Commutes::Or,
            () if name == "clear_bit" || name == "clear_bit_unlock" || ends("_and") => {
                Commutes::And
            }
            () => Commutes::No,
        };
        let is_store = ["atomic_set", "atomic64_set", "atomic_long_set"].into_iter().any(ends)
            || has("_set_release");
        let looks = ["_read", "unless", "not_zero", "if_positive"];
        let fetches = ["fetch_and", "fetch_or", "fetch_xor"];
        let begins_with_a_look =
            is_store || name == "test_bit" || looks.into_iter().chain(fetches).any(has);
        let is_of_lowest_byte = has("negative_byte");
        Primitive { name, order, commutes, is_store, is_of_lowest_byte, begins_with_a_look }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_primitive_is_known_by_its_name() {
        let of = |name| Primitive::named(name);
        assert_eq!(of("atomic_inc").commutes, Commutes::Add);
        assert_eq!(of("atomic_inc").order, Order::Relaxed);
        assert_eq!(of("atomic_dec_and_test").commutes, Commutes::No);
        assert_eq!(of("atomic_dec_and_test").order, Order::Full);
        assert_eq!(of("test_and_set_bit_lock").order, Order::Acquire);
        assert_eq!(of("xor_unlock_is_negative_byte").order, Order::Release);
        assert_eq!(of("set_bit").commutes, Commutes::Or);
        assert_eq!(of("atomic_read").order, Order::Relaxed);
        assert!(of("atomic_inc_not_zero").begins_with_a_look);
        assert!(!of("atomic_dec_and_test").begins_with_a_look);
        assert!(of("atomic_set").is_store && !of("set_bit").is_store);
        assert_eq!((of("xchg").order, of("xchg").commutes), (Order::Full, Commutes::No));
    }
}
