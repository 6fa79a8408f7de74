//! Links the files at a fixed low address. What they call and Selvedge models is a jump through a
//! table that the loader fills; what nobody models has an address in a region where every access
//! faults.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cache::write;
use super::kbuild::{Build, run};
use super::objects::{Objects, Undefined};
use super::overlay::on_all_cores;
use crate::error::{Error, Result};

/// Where images begin. The kernel's code model wants addresses below 2 GiB.
pub const BASE: u64 = 0x4000_0000;
/// Where what is not modelled would be, a page each.
pub const TRAPS: u64 = 0x6000_0000;
/// Of how many names at most.
pub const TRAPS_MAX: usize = 4096;

const SCRIPT: &str = include_str!("../../../gate/image.lds");

/// A linked image, not yet loaded.
#[derive(Clone, Debug)]
pub struct Linked {
    /// The file.
    pub path: PathBuf,
    /// What is not modelled, in the order of its addresses.
    pub traps: Vec<Undefined>,
    /// Everything in it.
    pub objects: Objects,
    /// The global functions of a file of the user's.
    pub init: Vec<String>,
}

/// Our own files, besides the probes.
const OWN: [&str; 4] = ["world", "tasks", "migrate", "fault"];

/// Compiles our own files into this directory, unless they are newer than the objects there, which
/// include the same headers.
pub fn own_objects(
    build: &Build<'_>,
    objects: &[PathBuf],
    out: &Path,
    overlay: &Path,
) -> Result<Vec<PathBuf>> {
    let object_of = |own: &str| out.join(format!("{own}.o"));
    let older: Vec<&str> = OWN.into_iter().filter(|o| is_older(&object_of(o), objects)).collect();
    on_all_cores(&older, |own| {
        let source = build.gate.join(format!("{own}.c"));
        build.recompile("fs/buffer.c", &source, &object_of(own), overlay).map_err(|error| {
            let what = "what surrounds the files under test does not compile";
            Error::new(format!("{what}:\n{error}"))
        })
    })?;
    Ok(OWN.into_iter().map(object_of).collect())
}

/// Links these objects, our own among them, with what is reached from these roots.
pub fn link(
    build: &Build<'_>,
    objects: &[PathBuf],
    out: &Path,
    overlay: &Path,
    (roots, init): (&[&str], Option<&Path>),
) -> Result<Linked> {
    let mut paths = objects.to_vec();
    let mut roots = roots.to_vec();
    let mut functions = Vec::new();
    if let Some(init) = init {
        let object = compile_init(build, init, out, overlay)?;
        functions = Objects::read(std::slice::from_ref(&object))?.functions();
        paths.push(object);
    }
    roots.extend(functions.iter().map(String::as_str));
    let linked = link_files(&build.cc, &paths, out, &roots)?;
    Ok(Linked { init: functions, ..linked })
}

/// Compiles a file of the user's as one of our own: instrumented, with the same headers.
fn compile_init(build: &Build<'_>, init: &Path, out: &Path, overlay: &Path) -> Result<PathBuf> {
    let text = fs::read_to_string(init).map_err(|error| Error::io("read", init, &error))?;
    // Only what lies there is compiled with our headers in front.
    let source = build.gate.join("init.c");
    write(&source, &text)?;
    let object = out.join("init.o");
    build.recompile("fs/buffer.c", &source, &object, overlay).map_err(|error| {
        let text =
            error.to_string().replace(&source.display().to_string(), &init.display().to_string());
        Error::new(format!("{} does not compile:\n{text}", init.display()))
    })?;
    Ok(object)
}

/// Is it older than one of these, or not there? They include the same headers.
fn is_older(object: &Path, others: &[PathBuf]) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|known| known.modified()).ok();
    let newest = others.iter().filter_map(|path| time(path)).max();
    time(object).is_none_or(|own| newest.is_some_and(|newest| own < newest))
}

/// Links these files, whoever compiled them.
pub fn link_files(cc: &str, paths: &[PathBuf], out: &Path, roots: &[&str]) -> Result<Linked> {
    let objects = Objects::read(paths)?;
    let mut all_roots = objects.names_with("sv_");
    all_roots.extend(roots.iter().copied().filter(|root| objects.defines(root)));
    let undefined = objects.reached(all_roots.iter().copied()).undefined;
    let (stubs, traps) = stubs(&undefined);
    let (source, object) = (out.join("stubs.S"), out.join("stubs.o"));
    write(&source, &stubs)?;
    succeed(Command::new(cc).arg("-c").arg("-o").arg(&object).arg(&source))?;
    let script = out.join("image.lds");
    write(&script, &SCRIPT.replace("BASE", &format!("{BASE:#x}")))?;
    let (path, partial) = (out.join("image"), out.join("image.partial"));
    let mut ld = Command::new("ld");
    ld.args(["-static", "--gc-sections", "-z", "noexecstack", "--no-warn-rwx-segments"]);
    ld.arg("-T").arg(&script).arg("-o").arg(&partial);
    ld.args(all_roots.iter().flat_map(|root| ["-u", root]));
    let at = |nth: usize| TRAPS + 4096 * nth as u64;
    ld.args(
        traps.iter().enumerate().map(|(n, trap)| format!("--defsym={}={:#x}", trap.name, at(n))),
    );
    ld.args(paths).arg(&object);
    succeed(&mut ld)?;
    fs::rename(&partial, &path).map_err(|error| Error::io("write", &path, &error))?;
    Ok(Linked { path, traps, objects, init: Vec::new() })
}

fn succeed(command: &mut Command) -> Result<()> {
    let output = run(command)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().take(8).collect();
    let program = command.get_program().to_string_lossy().into_owned();
    Err(Error::new(format!("{program} does not link the image:\n{}", lines.join("\n"))))
}

/// What the kernel calls from inline assembly, with no register to spare.
const INLINE: [(&str, &str); 2] =
    [("__sw_hweight32", "popcntl %edi,%eax"), ("__sw_hweight64", "popcntq %rdi,%rax")];

/// The assembly of what is modelled, and what is not.
fn stubs(undefined: &[Undefined]) -> (String, Vec<Undefined>) {
    let (mut text, mut slots, mut traps) = (String::new(), Vec::new(), Vec::new());
    for name in undefined {
        if let Some((_, body)) = INLINE.iter().find(|(known, _)| *known == name.name) {
            let symbol = &name.name;
            let _ = writeln!(
                text,
                ".section .text.stub.{symbol},\"ax\"\n.globl {symbol}\n{symbol}:\n\t{body}\n\tret"
            );
            continue;
        }
        match thunk(&name.name) {
            Some((slot, setup)) => {
                let symbol = &name.name;
                // Writing to a string cannot fail.
                let _ = writeln!(
                    text,
                    ".section .text.stub.{symbol},\"ax\"\n.globl {symbol}\n.type {symbol},@function\n\
                     {symbol}:\n{setup}\n\tjmp *__sv_slot_{slot}(%rip)\n.size {symbol},.-{symbol}"
                );
                if !slots.contains(&slot) {
                    slots.push(slot);
                }
            }
            None if traps.len() < TRAPS_MAX => traps.push(name.clone()),
            None => {}
        }
    }
    text.push_str(".section .svtable,\"aw\"\n.balign 8\n");
    for slot in slots {
        let _ = writeln!(text, ".globl __sv_slot_{slot}\n__sv_slot_{slot}: .quad 0");
    }
    text.push_str(".section .note.GNU-stack,\"\",@progbits\n");
    (text, traps)
}

/// Of a modelled name: which model it is, and what the model is told besides the caller's
/// arguments.
fn thunk(name: &str) -> Option<(String, String)> {
    let of = |slot: &str, setup: String| Some((slot.to_string(), setup));
    // Who calls is known by the return address, which is on top of the stack.
    if let Some(access) = name.strip_prefix("__tsan_") {
        let unaligned = access.strip_prefix("unaligned_").unwrap_or(access);
        let (marked, rest) = match unaligned.strip_prefix("volatile_") {
            Some(rest) => (true, rest),
            None => (false, unaligned),
        };
        let write = rest.starts_with("write");
        let size = rest.strip_prefix("write").or_else(|| rest.strip_prefix("read"));
        let bits = (if write { 0x100 } else { 0 }) | if marked { 0x200 } else { 0 };
        match size {
            Some("_range") => {
                return of("sv_range", format!("\tmovq (%rsp),%rdx\n\tmovl ${bits},%ecx"));
            }
            Some(size) if ["1", "2", "4", "8", "16"].contains(&size) => {
                let kind = bits | size.parse::<u32>().unwrap_or(8);
                return of("sv_access", format!("\tmovq (%rsp),%rsi\n\tmovl ${kind},%edx"));
            }
            _ => {}
        }
        match access {
            "func_entry" => return of("sv_enter", "\tmovq (%rsp),%rdi".into()),
            "func_exit" => return of("sv_leave", String::new()),
            _ => {}
        }
    }
    if name == "selvedge_bug" || name == "selvedge_warn" {
        return of(name, "\tmovq (%rsp),%rdi".into());
    }
    if name == "selvedge_instrument" {
        return of(name, "\tmovq (%rsp),%r9".into());
    }
    if name == "__kcsan_check_access" {
        return of(name, "\tmovq (%rsp),%rcx".into());
    }
    crate::native::models::is_modelled(name).then(|| (name.to_string(), String::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_told_what_and_from_where() {
        let (slot, setup) = thunk("__tsan_volatile_write4").expect("a hook");
        assert_eq!(slot, "sv_access");
        assert!(setup.contains("$772"), "0x304: {setup}");
        assert_eq!(thunk("__tsan_read_range").expect("a hook").0, "sv_range");
        assert_eq!(thunk("__tsan_func_entry").expect("a hook").0, "sv_enter");
        assert_eq!(thunk("schedule").expect("modelled").0, "schedule");
        assert_eq!(thunk("kmem_cache_alloc"), None);
    }

    #[test]
    fn what_is_not_modelled_is_a_trap_and_says_who_uses_it() {
        let of = |name: &str| Undefined { name: name.into(), by: "lru_add".into() };
        let (text, traps) = stubs(&[of("schedule"), of("kmem_cache_alloc")]);
        assert!(text.contains("jmp *__sv_slot_schedule(%rip)"));
        assert_eq!(traps, [of("kmem_cache_alloc")]);
    }
}
