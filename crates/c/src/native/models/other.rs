//! The rest: the kernel's own assertions, copies of memory, and what is nothing to us.

use selvedge_kernel as kernel;

use super::is_step;
use crate::native::gate::{assertion, parts, sv_access};
use crate::native::world::{is_idle, with};

/// Nothing.
pub extern "C" fn nothing() -> u64 {
    0
}

/// It has been done.
pub extern "C" fn one() -> u64 {
    1
}

pub extern "C" fn selvedge_bug(from: u64) -> ! {
    is_step();
    assertion("BUG", from)
}

pub extern "C" fn selvedge_warn(from: u64) {
    if !is_idle() {
        is_step();
        assertion("WARNING", from)
    }
}

/// The page allocator gets a page back.
pub extern "C" fn freed() {
    if is_step() {
        kernel::reached(selvedge_proofs::states::FREED);
    }
}

/// `__folio_alloc()`: the folio that is the task's to be had. Nobody else knows it yet: no step.
pub extern "C" fn folio_alloc() -> u64 {
    is_step();
    let folio = super::call("sv_alloc", &[selvedge_explore::me() as u64]);
    with(|world| world.has_written(folio, FOLIO));
    folio
}

/// What `sv_alloc()` writes, which is not announced: at most so many bytes.
const FOLIO: u64 = 512;

/// Word by word, each announced before it is written.
pub extern "C" fn memset(to: u64, value: i32, size: u64) -> u64 {
    for part in parts(to, size) {
        announce(part, true);
        for at in part.0..part.0 + part.1 {
            // SAFETY: the bytes were announced, and hence checked.
            unsafe { (at as *mut u8).write_volatile(value as u8) };
        }
    }
    to
}

pub extern "C" fn memcpy(to: u64, from: u64, size: u64) -> u64 {
    for offset in 0..size {
        announce((from + offset, 1), false);
        // SAFETY: as above.
        let byte = unsafe { ((from + offset) as *const u8).read_volatile() };
        announce((to + offset, 1), true);
        // SAFETY: as above.
        unsafe { ((to + offset) as *mut u8).write_volatile(byte) };
    }
    to
}

fn announce((at, size): (u64, u64), writes: bool) {
    sv_access(at, 0, size as u32 | if writes { 0x100 } else { 0 });
}
