//! What C does that it must not: an access where nothing is, a call of what nobody models.
//!
//! Most accesses are looked at when they are announced. What is not announced (a call, an
//! instruction in assembly) ends in a signal: its handler lets the task go on here, on its own
//! stack.
#![allow(unsafe_code, reason = "a signal handler that looks at registers: see the comments")]

use std::fmt;
use std::sync::OnceLock;

use selvedge_explore::{fail, unable};
use selvedge_trace::Rule;

use crate::native::build::link::{BASE, TRAPS, TRAPS_MAX};
use crate::native::world::{image, with};

/// A pointer leads where nothing is.
pub const ACCESSES_ARE_TO_MEMORY: Rule = Rule("the kernel accesses no memory that is not there");

/// What C needs and nobody has: neither compiled nor modelled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    /// Its name.
    pub name: String,
    /// Who needs it, and where.
    pub by: String,
    /// How far into it, if it is data.
    pub offset: Option<u64>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Missing { name, by, offset } = self;
        match offset {
            None => write!(f, "{by} calls {name}(), which is neither compiled nor modelled"),
            Some(offset) => {
                write!(f, "{by} accesses {name}+{offset:#x}, data that is not there")
            }
        }
    }
}

/// `lru_add+0x9f`
pub fn place(at: u64) -> String {
    match image().symbol(at) {
        Some((symbol, offset)) => format!("{}+{offset:#x}", symbol.name),
        None => format!("{at:#x}"),
    }
}

/// `lru_add() at mm/swap.c:214`
pub fn where_in_source(at: u64) -> String {
    let function = with(|world| world.function(at));
    match with(|world| world.line(at)) {
        "" => place(at),
        line => format!("{function}() at {line}"),
    }
}

/// The code at `from` accesses what is not there, or calls it: then `caller` does. What nobody
/// models makes the search undecided; a bad pointer is a violation.
pub fn bad_access(at: u64, from: u64, caller: u64) -> ! {
    let image = image();
    let trap = image.trap(at).map(|(name, offset)| (name.to_string(), offset));
    let calls = at == from;
    let who = where_in_source(if calls { caller } else { from });
    if !with(|world| world.live) {
        let what = trap.map_or(format!("address {at:#x}"), |(name, _)| name);
        eprintln!("selvedge: {who} needs {what} while the scenario is set up, and there is none");
        std::process::exit(2);
    }
    drop(image);
    match trap {
        Some((name, offset)) => {
            let missing = Missing { name, by: who, offset: (!calls).then_some(offset) };
            let why = missing.to_string();
            with(|world| world.missing = Some(missing));
            unable(why)
        }
        None if calls => fail(ACCESSES_ARE_TO_MEMORY, format!("{who} calls address {at:#x}")),
        None if at < 4096 => {
            fail(ACCESSES_ARE_TO_MEMORY, format!("{who} follows a null pointer, to {at:#x}"))
        }
        None => fail(ACCESSES_ARE_TO_MEMORY, format!("{who} follows a bad pointer, to {at:#x}")),
    }
}

extern "C" fn from_signal(at: u64, from: u64, caller: u64) -> ! {
    crate::native::gate::settle();
    bad_access(at, from, caller)
}

/// What handled the signal before.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// From now on faults of the image are explained; others go where they went before.
pub fn install() {
    // SAFETY: the handler is async-signal-safe: it changes registers and calls nothing. A thread of
    // std's has an alternative stack for signals.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_fault as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        let mut before: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGSEGV, &action, &mut before);
        if before.sa_sigaction != action.sa_sigaction {
            let _ = BEFORE.set(before);
        }
    }
}

extern "C" fn on_fault(_: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let is_of_image = |at: u64| (BASE..TRAPS + 4096 * TRAPS_MAX as u64).contains(&at);
    // SAFETY: the kernel has just filled both.
    unsafe {
        let at = (*info).si_addr() as u64;
        let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
        let from = registers[libc::REG_RIP as usize] as u64;
        let stack = registers[libc::REG_RSP as usize] as u64;
        // A call through a null pointer: whoever called is on the stack.
        let caller = if at == from { *(stack as *const u64) } else { 0 };
        if !is_of_image(from) && !is_of_image(caller) {
            if let Some(before) = BEFORE.get() {
                libc::sigaction(libc::SIGSEGV, before, std::ptr::null_mut());
            } else {
                libc::signal(libc::SIGSEGV, libc::SIG_DFL);
            }
            return;
        }
        // As if the code had called `from_signal(at, from, caller)`, on a stack aligned for a call.
        registers[libc::REG_RDI as usize] = at as i64;
        registers[libc::REG_RSI as usize] = from as i64;
        registers[libc::REG_RDX as usize] = caller as i64;
        registers[libc::REG_RSP as usize] = ((stack - 256) & !15) as i64 - 8;
        registers[libc::REG_RIP as usize] = from_signal as *const () as i64;
    }
}
