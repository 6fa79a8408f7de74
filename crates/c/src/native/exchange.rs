//! What a `try_cmpxchg()` consists of, in machine code.
//!
//! ```text
//! lea  old(%rsp),%rdi; …; call selvedge_instrument    the word: an update
//! lea  old(%rsp),%rdi; …; call selvedge_instrument    what is expected there, passed by address
//! lea  old(%rsp),%rdi;    call __tsan_read8           it is read
//! mov  old(%rsp),%rax;    lock cmpxchg …              the exchange
//! ```
//!
//! From the announcement of the word to the locked instruction nothing else may be a step, or the
//! exchange would be taken for what happens before it. What is expected lies on the task's own
//! stack. Here it is found which reads are those, and which announcements lie between; that they
//! are of the own stack, and of nothing that another task accesses, the gate sees when they come
//! ([`crate::native::gate`]).

use iced_x86::{Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register};

use crate::native::audit::{Gates, instructions, is_atomic, is_locked, is_volatile, of_kernel};
use crate::native::image::{Image, Range};

/// By their number in the function: reads that are announced, of what an exchange expects, before
/// it is made.
pub fn reads_of_expected(code: &[Instruction], gates: &Gates<'_>) -> Vec<usize> {
    let mut reads = Vec::new();
    let mut expected = None;
    for (number, instruction) in code.iter().enumerate() {
        if is_locked(instruction) {
            expected = None;
        }
        let Some(gate) = gates.called(instruction) else { continue };
        let is_plain_read = gate.strip_prefix("__tsan_read").is_some_and(|size| size != "_range");
        if is_atomic(gate) {
            let is_second = announced_before(code, number, gates).is_some();
            expected = is_second.then(|| on_stack(code, number)).flatten();
        } else if is_plain_read && expected.is_some() && on_stack(code, number) == expected {
            reads.push(number);
        }
    }
    reads
}

/// From where to where in the code, in order: the announcements that return behind the first
/// address and not behind the second come between that of an atomic access and the access.
pub fn ranges(image: &Image) -> Vec<Range> {
    let gates = Gates::of(image);
    let mut ranges: Vec<Range> = of_kernel(image)
        .flat_map(|function| of_function(&instructions(function), &gates))
        .collect();
    ranges.sort_by_key(|range| range.from);
    ranges
}

fn of_function(code: &[Instruction], gates: &Gates<'_>) -> Vec<Range> {
    let reads = reads_of_expected(code, gates);
    let mut ranges = Vec::new();
    let mut announced = None;
    for (number, instruction) in code.iter().enumerate() {
        if let Some(gate) = gates.called(instruction) {
            if is_atomic(gate) {
                let first = announced_before(code, number, gates).unwrap_or(number);
                announced = Some(code[first].next_ip());
            } else if !is_volatile(gate) && !reads.contains(&number) {
                announced = None;
            }
        } else if is_locked(instruction)
            && let Some(from) = announced.take()
        {
            ranges.push(Range { from, to: instruction.ip() });
        }
    }
    ranges
}

/// The announcement right before that one: of the same access, if nothing happens in between but
/// that arguments are put in place.
fn announced_before(code: &[Instruction], number: usize, gates: &Gates<'_>) -> Option<usize> {
    for (before, instruction) in code[..number].iter().enumerate().rev() {
        if instruction.is_call_near() {
            return gates.called(instruction).is_some_and(is_atomic).then_some(before);
        }
        use Mnemonic::{Lea, Mov, Or, Xor};
        let is_argument = matches!(instruction.mnemonic(), Lea | Mov | Or | Xor)
            && instruction.op0_kind() == OpKind::Register;
        let is_memory = instruction.mnemonic() != Lea
            && instruction.op1_kind() == OpKind::Memory
            && instruction.memory_base() != Register::RSP;
        if !is_argument || is_memory {
            return None;
        }
    }
    None
}

/// The first argument of a call, if it is an address on the stack: how far from the stack pointer.
fn on_stack(code: &[Instruction], call: usize) -> Option<u64> {
    let mut factory = InstructionInfoFactory::new();
    let mut register = Register::RDI;
    for instruction in code[..call].iter().rev() {
        if instruction.is_call_near() && !is_kept(register) {
            return None;
        }
        let writes = factory.info(instruction).used_registers().iter().any(|used| {
            let reads = matches!(used.access(), OpAccess::Read | OpAccess::CondRead);
            !reads && used.register().full_register() == register
        });
        if !writes {
            continue;
        }
        match instruction.mnemonic() {
            Mnemonic::Lea
                if instruction.memory_base() == Register::RSP
                    && instruction.memory_index() == Register::None =>
            {
                return Some(instruction.memory_displacement64());
            }
            Mnemonic::Mov if instruction.op1_kind() == OpKind::Register => {
                register = instruction.op1_register().full_register();
                if register == Register::RSP {
                    return Some(0);
                }
            }
            _ => return None,
        }
    }
    None
}

/// Do functions that are called keep it?
fn is_kept(register: Register) -> bool {
    use Register::{R12, R13, R14, R15, RBP, RBX};
    [RBX, RBP, R12, R13, R14, R15].contains(&register)
}
