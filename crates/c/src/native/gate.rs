//! The gate of C: what the compiler's instrumentation (`__tsan_*`) and the kernel's own
//! (`instrument_atomic_*`) call before each access becomes a step at the explorer's gate.
//!
//! | what calls                                  | what it becomes                                |
//! |---------------------------------------------|------------------------------------------------|
//! | `__tsan_read4`, `__tsan_write_range`, …     | a plain access, word by word                   |
//! | `__tsan_volatile_*`                         | READ_ONCE, WRITE_ONCE                          |
//! | `selvedge_instrument`, by the wrappers      | the primitive that the wrapper is named after  |
//! | `__tsan_atomic_signal_fence`                | a barrier (KCSAN's own, since 5.17)            |
//! | `selvedge_acquire`, `selvedge_release`      | the order of the next marked access            |
//! | `kcsan_disable_current`                     | what follows is within `data_race()`           |
//! | `__tsan_func_entry`, `__tsan_func_exit`     | the nest of functions                          |
//!
//! **Invariant:** nothing here unwinds: C has no frames to unwind. What ends an execution does not
//! return.
#![allow(unsafe_code, reason = "called by C, with addresses: each is checked before it is used")]

use std::ffi::{CStr, c_char};

use selvedge_explore::unable;
use selvedge_explore::{
    Access, Begun, Commutes, Effect, at as now_at, enter, enter_waker, fail, me, note,
};
use selvedge_trace::{Action, Bit, BitWait, Order, Rule};

use crate::native::fault::{self, bad_access};
use crate::native::primitive::Primitive;
use crate::native::sharing::Touch;
use crate::native::world::{self, Judged, Pending, Repeats, World, is_idle, mask, with};
use selvedge_proofs::rules::NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO;

/// One access, as it was announced.
struct Announced {
    at: u64,
    size: u64,
    /// Where in the code.
    from: u64,
    effect: Effect,
    access: Access,
    /// The bits of the word, if not all of those that are accessed.
    bits: Option<u64>,
}

/// The access that was announced last has happened: what did it leave?
pub fn settle() {
    if let Some((begun, new)) = with(left_by_last) {
        begun.settle(new);
    }
}

fn left_by_last(world: &mut World) -> Option<(Begun, u64)> {
    let Pending { begun, at, size } = world.pending.take()?;
    // SAFETY: it was checked when it was announced.
    Some((begun, world.shown(unsafe { read(at, size) })))
}

/// # Safety
/// The bytes are there, within one word.
unsafe fn read(at: u64, size: u64) -> u64 {
    // SAFETY: says the caller.
    unsafe {
        match size {
            1 => u64::from(*(at as *const u8)),
            2 => u64::from((at as *const u16).read_unaligned()),
            4 => u64::from((at as *const u32).read_unaligned()),
            _ => (at as *const u64).read_unaligned(),
        }
    }
}

/// Is the access a step? What must not be ends the execution.
fn is_step(at: u64, size: u64, bits: Option<u64>, (from, writes): (u64, bool)) -> bool {
    let touch = Touch { task: me(), from, bits: 0, writes };
    goes_on(with(|world| world.judge((at, size), bits, touch)), at, from)
}

/// The same, of what has been judged.
fn goes_on(judged: Judged, at: u64, from: u64) -> bool {
    match judged {
        Judged::NoStep => false,
        Judged::Step => true,
        Judged::Bad => {
            settle();
            bad_access(at, from, 0)
        }
        Judged::Torn => unable(format!(
            "{} accesses {}, which another task accesses too, between the announcement of an \
             atomic access and that access",
            fault::where_in_source(from),
            with(|world| world.name(at))
        )),
        Judged::Endless => unable(format!(
            "{} goes on and on without a step that another task could see",
            fault::where_in_source(from)
        )),
    }
}

fn step(announced: Announced) {
    let Announced { at, size, from, effect, access, bits } = announced;
    settle();
    let shift = (at & 7) * 8;
    if size < 8 && shift + size * 8 > 64 {
        unable(format!("{} accesses {size} bytes at {at:#x}, in two words", fault::place(from)));
    }
    let whole = mask(at, size);
    let (is_stack, line, known) = with(|world| {
        world.steps += 1;
        world.sharing.stepped();
        (world.on_stack(at).is_some(), world.line(from), world.known_word(at))
    });
    let word = known.unwrap_or_else(|| world::foreign_word(at));
    now_at(line);
    let access = access.bits(bits.unwrap_or(whole));
    // What is on a stack before it is written is left over from another execution.
    let look = || {
        // SAFETY: it is there, and C has not gone on.
        let value = unsafe { read(at, size) };
        (effect.reads || !is_stack).then(|| with(|world| world.shown(value)))
    };
    let begun = word.begin(effect, access, look);
    with(|world| {
        world.pending = Some(Pending { begun, at, size });
        world.repeats = None;
    });
}

/// `__tsan_read4(at)` and its like: `kind` is the size, 0x100 for a write, 0x200 for a volatile
/// one.
pub extern "C" fn sv_access(at: u64, from: u64, kind: u32) {
    let (size, writes, marked) = (u64::from(kind & 0xff), kind & 0x100 != 0, kind & 0x200 != 0);
    let touch = Touch { task: me(), from, bits: 0, writes };
    // Most accesses are no steps: they look at the world once.
    let judged = with(|world| {
        let repeats = world.repeats.take();
        if marked && repeats.is_some_and(|known| known.is_at(at, size, from)) {
            return None;
        }
        let judged = world.judge((at, size), None, touch);
        if judged == Judged::NoStep && (!marked || !world.live || touch.task == 0) {
            return None;
        }
        let frame = world.frame();
        let next_order = if marked { frame.next_order.take() } else { None };
        Some((judged, frame.racy > 0, next_order))
    });
    let Some((judged, racy, next_order)) = judged else { return };
    if !goes_on(judged, at, from) {
        return;
    }
    let access = match (next_order, marked, racy) {
        (Some(next), ..) => Access::relaxed(next.name).order(next.order),
        (None, _, true) => Access::relaxed("data_race").racy(),
        (None, true, _) if writes => Access::relaxed("WRITE_ONCE"),
        (None, true, _) => Access::relaxed("READ_ONCE"),
        (None, false, _) => Access::relaxed("").plain(),
    };
    let effect = if writes { Effect::WRITE } else { Effect::READ };
    match size {
        16 => sv_range(at, 16, from, kind & 0x100),
        _ => step(Announced { at, size, from, effect, access, bits: None }),
    }
}

/// A range, cut where words and their aligned parts begin: address and size of each.
pub fn parts(at: u64, size: u64) -> impl Iterator<Item = (u64, u64)> {
    let mut next = at;
    std::iter::from_fn(move || {
        let left = (at + size).checked_sub(next).filter(|&left| left > 0)?;
        let fits = |part: &u64| *part <= left && next.is_multiple_of(*part);
        let part = [8, 4, 2, 1].into_iter().find(fits)?;
        next += part;
        Some((next - part, part))
    })
}

/// `__tsan_read_range(at, size)`: a structure. C accesses it when all of it has been announced, so
/// that more than a word is one step only where no other task looks meanwhile: on the task's own
/// stack.
pub extern "C" fn sv_range(at: u64, size: u64, from: u64, kind: u32) {
    if !is_step(at, size, None, (from, kind & 0x100 != 0)) {
        return;
    }
    let is_own = with(|world| world.on_stack(at)).is_some_and(|(task, _)| task == me());
    if parts(at, size).count() > 1 && !is_own {
        let name = with(|world| world.name(at));
        let place = fault::place(from);
        unable(format!("{place} accesses {size} bytes of {name} at once, which is not modelled"));
    }
    for (at, size) in parts(at, size) {
        sv_access(at, from, size as u32 | kind);
        // What C leaves there is not known before all is announced.
        with(|world| world.pending = world.pending.take_if(|_| !is_own));
    }
}

/// From the wrappers of atomics and bitops. `kind`: 1 writes, 2 is compound, 4 is atomic.
pub extern "C" fn selvedge_instrument(
    at: u64,
    size: u64,
    kind: i32,
    name: *const c_char,
    bit: i64,
    from: u64,
) {
    if is_idle() {
        is_step(at, size, None, (from, kind & 1 != 0));
        return;
    }
    let (writes, compound, atomic) = (kind & 1 != 0, kind & 2 != 0, kind & 4 != 0);
    let primitive = primitive(name, from, atomic);
    // Of a byte, the bit and the sign, which says that there are waiters.
    let byte = primitive.is_of_lowest_byte.then_some(0xff);
    let bits = byte.or((bit >= 0).then(|| 1_u64 << (bit & 63)));
    let repeats = (atomic && primitive.begins_with_a_look).then_some(Repeats { at, size, from });
    if !is_step(at, size, bits, (from, writes)) {
        return with(|world| world.repeats = repeats);
    }
    // KCSAN calls set_bit() and xor_unlock_is_negative_byte() writes: what is not known to be a
    // store is an update.
    let updates = compound || (writes && atomic && !primitive.is_store);
    let is_void = writes && primitive.commutes != Commutes::No;
    let effect = match (writes, updates) {
        (false, _) => Effect::READ,
        (true, _) if is_void => Effect::void(primitive.commutes),
        (true, true) => Effect::UPDATE,
        (true, false) => Effect::WRITE,
    };
    let mut access = Access::relaxed(primitive.name).order(primitive.order);
    if !atomic {
        access = access.plain();
    }
    if bit >= 0 && byte.is_none() {
        let nr = bit as u64 & 63;
        let name = with(|world| {
            let word = world.name(at).text;
            world.bit(word, nr)
        });
        access.bit = Some(Bit { nr: nr as u32, name });
    }
    step(Announced { at, size, from, effect, access, bits });
    with(|world| world.repeats = repeats);
}

fn primitive(name: *const c_char, from: u64, atomic: bool) -> Primitive {
    let key = name as u64;
    if let Some(known) = with(|world| world.primitives.get(&key).copied()) {
        return known;
    }
    // SAFETY: `__func__`, a string of the image.
    let text = unsafe { CStr::from_ptr(name) }.to_str().unwrap_or("?");
    let function = with(|world| world.function(from));
    // xchg() and cmpxchg() are macros: what they call their function is whoever uses them.
    let is_macro = text == function || !(text.contains("atomic") || text.contains("bit"));
    let is_macro = is_macro && !text.contains("negative_byte");
    let text = if is_macro { "xchg" } else { text.trim_start_matches('_') };
    let mut found = Primitive::named(world::intern(text.strip_prefix("arch_").unwrap_or(text)));
    if !atomic {
        found.name = world::intern(&format!("__{}", found.name));
    }
    with(|world| world.primitives.insert(key, found));
    found
}

/// From what is instrumented by hand. ASSERT_EXCLUSIVE (8) accesses nothing.
pub extern "C" fn kcsan_check_access(at: u64, size: u64, kind: i32, from: u64) {
    if kind & 8 == 0 {
        let writes = if kind & 1 != 0 { 0x100 } else { 0 };
        let marked = if kind & 4 != 0 { 0x200 } else { 0 };
        sv_range(at, size, from, writes | marked);
    }
}

/// A function begins.
pub extern "C" fn sv_enter(from: u64) {
    let Some(name) = with(|world| world.live.then(|| world.function(from))) else { return };
    let entered = if name == "folio_wake_bit" { enter_waker(name) } else { enter(name) };
    with(|world| world.frame().path.push((name, entered)));
}

/// It returns.
pub extern "C" fn sv_leave() {
    // Both are noted by the explorer, which must not find the world borrowed.
    let (last, left) = with(|world| match world.live {
        true => (left_by_last(world), world.frame().path.pop()),
        false => (None, None),
    });
    if let Some((begun, new)) = last {
        begun.settle(new);
    }
    drop(left);
}

/// What lies at this address of the task's stack is called so, as long as the task is in the
/// function.
pub extern "C" fn selvedge_name(at: u64, name: *const c_char) {
    if !is_idle() {
        // SAFETY: a string of the image.
        let name = unsafe { CStr::from_ptr(name) }.to_str().unwrap_or("?");
        with(|world| world.name_on_stack(at, world::intern(name)));
    }
}

/// KCSAN's barriers, by the memory order that it passes.
pub extern "C" fn signal_fence(order: i32) {
    if is_idle() {
        return;
    }
    settle();
    // Where steps are in one order for all, a barrier is nothing that another task sees.
    if !with(|world| world.sharing.is_every_access()) {
        return;
    }
    match order {
        5 => selvedge_explore::fence("smp_mb", Order::Full),
        4 => selvedge_explore::fence("smp_wmb", Order::Release),
        2 => selvedge_explore::fence("smp_rmb", Order::Acquire),
        // Before what releases, which says so itself.
        _ => {}
    }
}

/// The next marked access is a load-acquire.
pub extern "C" fn selvedge_acquire() {
    next_order(Primitive::accessing("smp_load_acquire", Order::Acquire));
}

/// The next marked access is a store-release.
pub extern "C" fn selvedge_release() {
    next_order(Primitive::accessing("smp_store_release", Order::Release));
}

fn next_order(next: Primitive) {
    if !is_idle() {
        with(|world| world.frame().next_order = Some(next));
    }
}

/// `data_race()` begins.
pub extern "C" fn kcsan_disable_current() {
    if !is_idle() {
        with(|world| world.frame().racy += 1);
    }
}

/// It ends.
pub extern "C" fn kcsan_enable_current() {
    if !is_idle() {
        with(|world| {
            let frame = world.frame();
            frame.racy = frame.racy.saturating_sub(1);
        });
    }
}

/// The task queues itself until a bit is clear: a remark, for whoever explains a hang.
pub extern "C" fn selvedge_awaits(flags: u64, bit: i32, wait_flags: u64) {
    if is_idle() {
        return;
    }
    settle();
    let (object, name) = number_and_name(flags);
    let told = world::token(crate::native::models::current());
    let told_by = [number_and_name(wait_flags).0, told.object()];
    let bit_name = with(|world| world.bit(name.text, bit as u64 & 63));
    let if_forgotten: Rule = NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO;
    let wait = BitWait { mask: 1 << (bit & 63), bit: bit_name, told_by, if_forgotten };
    note(Action::Awaits(wait), object, name);
}

fn number_and_name(at: u64) -> (u32, selvedge_trace::Name) {
    let (_, name) = world::word(at);
    (world::foreign_word(at).object(), name)
}

/// An access by a modelled primitive to the kernel's memory: reads.
pub fn load(at: u64, size: u64, primitive: &'static str) -> u64 {
    access(at, size, Effect::READ, Access::relaxed(primitive));
    // SAFETY: the access was announced, and hence checked.
    unsafe { read(at, size) }
}

/// Writes.
pub fn store(at: u64, size: u64, value: u64, primitive: &'static str) {
    access(at, size, Effect::WRITE, Access::relaxed(primitive));
    // SAFETY: as above; the size is four or eight.
    unsafe {
        match size {
            4 => (at as *mut u32).write_unaligned(value as u32),
            _ => (at as *mut u64).write_unaligned(value),
        }
    }
}

/// Reads and writes a long in one step, and returns what was there.
pub fn update(at: u64, primitive: &'static str, order: Order, change: impl Fn(u64) -> u64) -> u64 {
    access(at, 8, Effect::UPDATE, Access::relaxed(primitive).order(order));
    // SAFETY: as above.
    unsafe {
        let old = (at as *const u64).read_unaligned();
        (at as *mut u64).write_unaligned(change(old));
        old
    }
}

fn access(at: u64, size: u64, effect: Effect, access: Access) {
    // Who calls is not known, but which primitive it is.
    if is_step(at, size, None, (access.primitive.as_ptr() as u64, effect.writes)) {
        step(Announced { at, size, from: 0, effect, access, bits: None });
    }
}

/// A BUG or a WARN of the kernel's.
pub fn assertion(what: &str, from: u64) -> ! {
    let place = fault::where_in_source(from);
    fail(selvedge_kernel::KERNEL_ASSERTIONS_HOLD, format!("{what} in {place}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_at_words() {
        assert_eq!(parts(0x1006, 12).collect::<Vec<_>>(), [(0x1006, 2), (0x1008, 8), (0x1010, 2)]);
        assert_eq!(parts(0x1000, 8).count(), 1);
        assert_eq!(parts(0x1000, 0).count(), 0);
    }
}
