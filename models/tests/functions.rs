//! The register of modelled functions: that the scan of the sources reads what they say, and what
//! comes of it here.

#[path = "../build/scan.rs"]
mod scan;

use selvedge_models::functions::{FILES, FUNCTIONS, How, by_name};

const CLOTH: &str = "\
//! The cloth.
//!
//! Kept: all. Left out: the colour,
//! the price.
//! Source: mm/cloth.c `weave_all()` of 6.1, include/linux/cloth.h; 0123456789ab.

/// `weave_folios()`; `…_pages()` until 6.10, and `weave()` since 6.11. Calls `cut()`.
///
/// Left out: the fringe.
pub fn weave_folios(k: &Kernel) {
    let _in = enter(\"weave_folios\");
    // knot(): twice.
    helper(k);
    // fray() comes later
}

/// Whether to go on.
fn helper(k: &Kernel) {
    dye(k);
}

/// `dye()`
fn dye(k: &Kernel) {}

/// Up to 5.8: `spin()`.
fn spin_old(k: &Kernel) {
    let _in = enter(\"spin_old\");
}
";
const HEM: &str = "\
//! A part of it.

/// `hem()` without `seam()`: `stitch()`, called by `sew()`.
fn hem(k: &Kernel) {}
";

fn scanned() -> (Vec<scan::Notes>, Vec<scan::Function>) {
    let sources = [("mm/cloth/mod.rs", CLOTH), ("mm/cloth/hem.rs", HEM)];
    scan::scan(&sources.map(|(path, text)| (path.to_string(), text.to_string())))
}

fn function<'a>(all: &'a [scan::Function], name: &str) -> &'a scan::Function {
    all.iter().find(|f| f.name == name).unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn a_function_has_the_names_that_its_comment_begins_with() {
    let (_, all) = scanned();
    for name in ["weave_folios", "weave_pages", "weave"] {
        let found = function(&all, name);
        assert_eq!(
            (found.how, found.rust.as_str()),
            (scan::How::Function, "weave_folios"),
            "{name}"
        );
        assert_eq!(found.line, 10);
        assert_eq!(found.left_out, "the fringe.");
        assert_eq!(found.entered, ["weave_folios"]);
    }
    assert_eq!(function(&all, "spin").rust, "spin_old");
    assert_eq!(function(&all, "cut").how, scan::How::Mentioned);
    let source = function(&all, "weave_all");
    assert_eq!(source.how, scan::How::Source);
    assert_eq!(source.entered, ["spin_old", "weave_folios"]);
    assert_eq!(function(&all, "seam").how, scan::How::Mentioned);
    assert_eq!(function(&all, "sew").how, scan::How::Mentioned);
    assert!(all.iter().all(|f| f.name != "helper" && f.name != "fray"));
}

#[test]
fn a_comment_in_a_body_names_what_is_modelled_in_place() {
    let (_, all) = scanned();
    let knot = function(&all, "knot");
    assert_eq!((knot.how, knot.rust.as_str(), knot.line), (scan::How::InPlace, "weave_folios", 12));
    assert_eq!(knot.entered, ["weave_folios"]);
}

#[test]
fn a_function_without_a_name_in_traces_has_those_of_its_callers() {
    let (_, all) = scanned();
    let dye = function(&all, "dye");
    assert!(dye.by_callers);
    assert_eq!(dye.entered, ["weave_folios"]);
}

#[test]
fn a_part_of_a_file_has_the_notes_of_the_whole() {
    let (notes, _) = scanned();
    assert_eq!(notes.len(), 2);
    for notes in notes {
        assert_eq!(notes.left_out, "the colour, the price.");
        assert!(notes.source.starts_with("mm/cloth.c"), "{}", notes.source);
        assert_eq!(notes.c_files, ["include/linux/cloth.h", "mm/cloth.c"], "{}", notes.file);
    }
}

#[test]
fn the_register_has_what_the_models_have() {
    let models =
        |name: &str| -> Vec<(How, &str)> { by_name(name).map(|f| (f.how, f.file)).collect() };
    let gup = (How::Function, "models/src/mm/gup.rs");
    assert_eq!(models("collect_longterm_unpinnable_folios"), [gup]);
    assert_eq!(models("collect_longterm_unpinnable_pages"), [gup]);
    let add = (How::Function, "models/src/mm/swap/add.rs");
    let unreferenced = (How::Function, "models/src/mm/swap/unreferenced.rs");
    assert_eq!(models("folio_activate"), [add, unreferenced]);
    assert_eq!(models("activate_page"), [add]);
    assert_eq!(models("try_grab_folio"), [(How::InPlace, "models/src/mm/gup.rs")]);
    let buffers = (How::Function, "models/src/mm/migrate/buffers.rs");
    assert_eq!(models("__buffer_migrate_folio"), [buffers]);
    assert!(models("unmap_page_range").is_empty());
}

#[test]
fn every_modelled_function_can_be_read_up() {
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for function in FUNCTIONS {
        let text = std::fs::read_to_string(sources.join(function.file)).expect(function.file);
        let line = text.lines().nth(function.line - 1).expect("the line is there");
        let is_there = match function.how {
            How::Function => line.contains(&format!("fn {}", function.rust)),
            _ => line.contains(function.name),
        };
        assert!(is_there, "{function:?}: {line}");
        assert!(!function.notes().c_files.is_empty());
    }
}

#[test]
fn every_file_of_models_says_what_it_was_modelled_on() {
    let silent: Vec<&str> =
        FILES.iter().filter(|notes| notes.source.is_empty()).map(|notes| notes.file).collect();
    // An index of the files beside it, which say so themselves.
    assert_eq!(silent, ["models/src/mm/migrate/mod.rs"]);
}

fn texts(cloth: &str) -> std::collections::BTreeMap<String, u64> {
    scan::texts(&[("mm/cloth/mod.rs".to_string(), cloth.to_string())])
}

#[test]
fn the_text_of_a_function_is_its_code_and_that_of_its_helpers() {
    let before = texts(CLOTH);
    assert_eq!(before.keys().collect::<Vec<_>>(), ["spin_old", "weave_folios"]);
    let said_otherwise = texts(&CLOTH.replace("fray() comes later", "fray() comes  never"));
    assert_eq!(said_otherwise, before, "a comment is no code");
    let dyed_twice = texts(&CLOTH.replace("    dye(k);", "    dye(k);\n    dye(k);"));
    assert_ne!(dyed_twice["weave_folios"], before["weave_folios"]);
    assert_eq!(dyed_twice["spin_old"], before["spin_old"]);
}

#[test]
fn what_steps_are_recorded_under_has_a_text() {
    let hash = selvedge_models::functions::text_hash;
    for name in ["bh_lru_install", "folio_wait_bit_common", "lru_add_drain_cpu"] {
        assert!(hash(name).is_some(), "{name}");
    }
    assert_eq!(hash("no_such_function"), None);
    assert_ne!(hash("bh_lru_install"), hash("lookup_bh_lru"));
}

/// A patch in a crate of its own can call what the function that it changes calls.
#[test]
fn what_a_patched_function_calls_is_public_under_the_name_that_the_kernel_has() {
    use selvedge_models::fs::buffer::{bh_lru_lock, buffer_busy, check_irqs_on};
    use selvedge_models::mm::filemap::{folio_wait_bit_common, io_schedule, wake_page_function};
    use selvedge_models::mm::migrate::{alloc_migration_target, folio_ref_freeze, migrate_folio};
    use selvedge_models::mm::swap::{cpu_needs_drain, lru_add_drain_per_cpu, lru_add_fn};
    use std::any::type_name_of_val;
    let called = [
        (type_name_of_val(&bh_lru_lock), "bh_lru_lock"),
        (type_name_of_val(&buffer_busy), "buffer_busy"),
        (type_name_of_val(&check_irqs_on), "check_irqs_on"),
        (type_name_of_val(&folio_wait_bit_common), "folio_wait_bit_common"),
        (type_name_of_val(&io_schedule), "io_schedule"),
        (type_name_of_val(&wake_page_function), "wake_page_function"),
        (type_name_of_val(&alloc_migration_target), "alloc_migration_target"),
        (type_name_of_val(&folio_ref_freeze), "folio_ref_freeze"),
        (type_name_of_val(&migrate_folio), "migrate_folio"),
        (type_name_of_val(&cpu_needs_drain), "cpu_needs_drain"),
        (type_name_of_val(&lru_add_drain_per_cpu), "lru_add_drain_per_cpu"),
        (type_name_of_val(&lru_add_fn), "lru_add_fn"),
    ];
    for (path, name) in called {
        assert!(path.ends_with(&format!("::{name}")), "{path}");
    }
}
