//! Is every access of an image announced at the gate? Looked at instruction by instruction, for
//! each function of the kernel's that was linked. An access that is not would make `holds` a lie,
//! so that such an image is not run.
//!
//! What is looked for:
//! - a locked instruction without a call to the gate right before it;
//! - a function that touches memory other than its stack and never calls the gate;
//! - what has no meaning outside of a kernel: privileged instructions, `gs:` and `fs:`, `ud2`.
//!
//! Between the announcement of a `try_cmpxchg()` and its instruction there is a read: of the value
//! that it expects, which is passed by address, and is announced as a part of it. That read is let
//! pass if its address is the one that was announced so, a place on the stack by the instructions
//! that compute it (`exchange.rs`). Whose stack that is, and whether another task knows the
//! address, is not to be seen here: the gate looks at each one when it comes.
#![allow(unsafe_code, reason = "the instructions are read where they are loaded")]

use std::collections::HashMap;

use iced_x86::{
    Code, Decoder, DecoderOptions, Instruction, InstructionInfoFactory, OpAccess, Register,
};

use crate::native::exchange;
use crate::native::image::{Image, Symbol};

/// What was found in an image.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Audit {
    /// How many functions were looked at.
    pub functions: usize,
    /// How many locked instructions they have.
    pub locked: usize,
    /// What is wrong, a sentence each.
    pub faults: Vec<String>,
}

/// How many instructions may be between the announcement of an atomic access and the access.
const NEAR: usize = 24;

/// Calls that announce an atomic access: no other step may come between, or that would be what the
/// access is taken for.
const ATOMIC: [&str; 2] = ["selvedge_instrument", "__kcsan_check_access"];
/// Calls that announce any other. An atomic access may begin with a volatile look.
const OTHERS: [&str; 3] = ["__tsan_read", "__tsan_write", "__tsan_unaligned_"];
const VOLATILE: &str = "__tsan_volatile_";

/// What functions of an image announce with, by address.
pub struct Gates<'a>(HashMap<u64, &'a str>);

impl<'a> Gates<'a> {
    /// Those of the image.
    pub fn of(image: &'a Image) -> Gates<'a> {
        let gates = image.functions().filter(|symbol| is_gate(&symbol.name));
        Gates(gates.map(|symbol| (symbol.at, symbol.name.as_str())).collect())
    }

    /// The one that this instruction calls.
    pub fn called(&self, instruction: &Instruction) -> Option<&'a str> {
        let target = instruction.is_call_near().then(|| instruction.near_branch_target())?;
        self.0.get(&target).copied()
    }
}

/// Does this gate announce an atomic access?
pub fn is_atomic(gate: &str) -> bool {
    is_one_of(&ATOMIC, gate)
}

/// Is it of READ_ONCE() and its like, with which an atomic access may begin?
pub fn is_volatile(gate: &str) -> bool {
    gate.starts_with(VOLATILE)
}

/// Does it change memory, and nobody else at the same time?
pub fn is_locked(instruction: &Instruction) -> bool {
    let swaps = matches!(instruction.mnemonic(), iced_x86::Mnemonic::Xchg);
    instruction.has_lock_prefix() || swaps
}

fn is_one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|known| name.starts_with(known))
}

fn is_gate(name: &str) -> bool {
    is_one_of(&ATOMIC, name) || is_one_of(&OTHERS, name) || name.starts_with(VOLATILE)
}

/// Looks at all functions of the kernel's.
pub fn audit(image: &Image) -> Audit {
    let mut audit = Audit::default();
    let gates = Gates::of(image);
    for function in of_kernel(image) {
        audit.functions += 1;
        look(image, function, &gates, &mut audit);
    }
    audit
}

/// The functions that are compiled, and no way to what is modelled.
pub fn of_kernel(image: &Image) -> impl Iterator<Item = &Symbol> {
    image.functions().filter(|function| {
        let is_stub = is_gate(&function.name) || crate::native::models::is_modelled(&function.name);
        !is_stub && !function.name.starts_with("__tsan_")
    })
}

fn look(image: &Image, function: &Symbol, gates: &Gates<'_>, audit: &mut Audit) {
    let code = instructions(function);
    let reads_of_expected = exchange::reads_of_expected(&code, gates);
    let name = &function.name;
    let mut factory = InstructionInfoFactory::new();
    let (mut last_gate, mut calls, mut touches) = (None, false, None);
    for (number, instruction) in code.iter().enumerate() {
        if let Some(gate) = gates.called(instruction) {
            calls = true;
            if !is_volatile(gate) && !reads_of_expected.contains(&number) {
                last_gate = is_atomic(gate).then_some(number);
            }
            continue;
        }
        let place = || format!("{name}+{:#x}", instruction.ip() - function.at);
        if is_of_kernel(instruction) {
            audit
                .faults
                .push(format!("{}: an instruction that only a kernel can execute", place()));
        }
        let memory = accessed(image, &mut factory, instruction);
        if memory {
            touches.get_or_insert_with(place);
        }
        if memory && is_locked(instruction) {
            audit.locked += 1;
            if last_gate.is_none_or(|gate| number - gate > NEAR) {
                audit
                    .faults
                    .push(format!("{}: a locked instruction without a gate before it", place()));
            }
        }
    }
    // What is ours looks at the world before and after a scenario, not instrumented.
    let is_own = name.starts_with("sv_");
    if let (Some(place), false, false) = (touches, calls, is_own) {
        audit.faults.push(format!("{place}: memory is accessed, and {name}() is not instrumented"));
    }
}

/// The code of a function.
pub fn instructions(function: &Symbol) -> Vec<Instruction> {
    // SAFETY: a function of a loaded image, which is mapped and which nobody writes to.
    let bytes =
        unsafe { std::slice::from_raw_parts(function.at as *const u8, function.size as usize) };
    Decoder::with_ip(64, bytes, function.at, DecoderOptions::NONE).into_iter().collect()
}

fn is_of_kernel(instruction: &Instruction) -> bool {
    let by_segment = matches!(instruction.segment_prefix(), Register::GS | Register::FS);
    let is_nop = instruction.mnemonic() == iced_x86::Mnemonic::Nop;
    (by_segment && !is_nop) || instruction.is_privileged() || instruction.code() == Code::Ud2
}

/// Does it access memory that tasks may share: not its stack, and not what is constant?
fn accessed(
    image: &Image,
    factory: &mut InstructionInfoFactory,
    instruction: &Instruction,
) -> bool {
    let info = factory.info(instruction);
    info.used_memory().iter().any(|memory| {
        let accesses = !matches!(memory.access(), OpAccess::None | OpAccess::NoMemAccess);
        let is_stack = memory.base() == Register::RSP;
        let is_fixed = matches!(memory.base(), Register::None | Register::RIP)
            && memory.index() == Register::None;
        let is_constant = is_fixed && memory.displacement() < image.data.from;
        accesses && !is_stack && !is_constant
    })
}
