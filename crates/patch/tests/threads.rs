//! The mail threads that the project began with, from a directory of your own: they are not ours to
//! distribute. Mails of our own in each of their forms are in `tests/mails.rs`.

use std::io::Write;
use std::path::PathBuf;

use selvedge_patch::{How, read, touched};

/// What is said to be touched, with how, for each patch; `None` if a file has no patch.
type Expected = Option<&'static [&'static [(&'static str, How)]]>;

use How::{Added, Changed};

/// The start of each file's name, and what its patches touch.
const THREADS: &[(&str, Expected)] = &[
    (
        "000_",
        Some(&[&[
            ("bh_lru_install", Changed),
            ("migrate_finish", Added),
            ("do_migrate_pages", Changed),
            ("do_mbind", Changed),
            ("migrate_prep", Changed),
            ("migrate_finish", Added),
            ("migrate_pending", Added),
            ("do_pages_move", Changed),
            ("__alloc_contig_migrate_range", Changed),
            ("rotate_reclaimable_page", Changed),
            ("activate_page", Changed),
            ("lru_cache_add", Changed),
            ("deactivate_file_page", Changed),
            ("deactivate_page", Changed),
            ("mark_page_lazyfree", Changed),
        ]]),
    ),
    ("001_", Some(&[&[("migrate_folio_unmap", Changed)]])),
    ("002_", None),
    (
        "003_",
        Some(&[&[
            ("stable_page_flags", Changed),
            ("mobile_page", Added),
            ("isolate_mobilepage", Added),
            ("putback_mobilepage", Added),
            ("mobile_page", Added),
            ("isolate_mobilepage", Added),
            ("putback_mobilepage", Added),
            ("PageMobile", Added),
            ("__SetPageMobile", Added),
            ("__ClearPageMobile", Added),
        ]]),
    ),
    ("004_", Some(&[&[("__buffer_migrate_folio", Changed)], &[("migrate_folio_unmap", Changed)]])),
];

#[test]
fn the_threads_touch_what_their_patches_change() {
    let Some(dir) = std::env::var_os("SELVEDGE_THREADS").map(PathBuf::from) else {
        // Not by `eprintln!`, which the test harness keeps to itself.
        let notice = "skipped: SELVEDGE_THREADS does not name a directory with the mail threads\n";
        std::io::stderr().write_all(notice.as_bytes()).expect("stderr");
        return;
    };
    for (start, expected) in THREADS {
        let entries = std::fs::read_dir(&dir).expect("a directory");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let is_it = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start))
        };
        let path = paths.into_iter().find(is_it).unwrap_or_else(|| panic!("{start}: no such file"));
        let text = std::fs::read_to_string(&path).expect("text");
        let seen = read(&text).ok().map(|input| -> Vec<Vec<(String, How)>> {
            let hunks = |patch: &selvedge_patch::Patch| {
                let hunks = patch.files.iter().flat_map(|file| &file.hunks);
                hunks
                    .flat_map(|hunk| touched(hunk, None).functions)
                    .map(|f| (f.name, f.how))
                    .collect()
            };
            input.patches.iter().map(hunks).collect()
        });
        let expected = expected.map(|patches| -> Vec<Vec<(String, How)>> {
            let of = |patch: &&[(&str, How)]| {
                patch.iter().map(|(name, how)| (name.to_string(), *how)).collect()
            };
            patches.iter().map(of).collect()
        });
        assert_eq!(seen, expected, "{}", path.display());
    }
}
