//! `selvedge c` answers bad input in one text, exit code 2, before anything is built.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::fs;
use std::process::Command;

fn refused(args: &[&str], saying: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_selvedge")).arg("c").args(args).output();
    let output = output.expect("runs");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
    assert!(error.contains(saying), "{args:?}: {error}");
    assert!(output.stdout.is_empty(), "{args:?} printed something");
}

#[test]
fn bad_input_is_answered_before_anything_is_built() {
    refused(&[], "--kernel <DIR>");
    refused(&["--kernel", "/no/such"], "/no/such is no kernel tree: its Makefile cannot be read");
    refused(&["--kernel", "/", "nothing"], "/ is no kernel tree");
    refused(&["--kernel", "/", "--out", "/dev/null/x"], "cannot write to the directory");
}

/// As much of a kernel as is looked at before a compiler is.
#[test]
fn a_patch_that_does_not_apply_is_named_with_its_hunk() {
    let dir = std::env::temp_dir().join(format!("selvedge-c-cli-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    for (file, text) in [
        ("Makefile", "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 117\n"),
        ("Kbuild", ""),
        ("scripts/Makefile.build", ""),
        ("scripts/kconfig/Makefile", ""),
        ("mm/swap.c", "int a;\nint b;\n"),
        ("fs/buffer.c", ""),
        ("my.patch", "--- a/mm/swap.c\n+++ b/mm/swap.c\n@@ -2 +2 @@\n-int c;\n+int d;\n"),
        ("no.patch", "Dear all,\n"),
        ("typo.c", "void cpu0_a(void)\n{\n}\nvoid set_up(void)\n{\n}\n"),
    ] {
        let path = dir.join(file);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(path, text).expect("written");
    }
    let name = |file: &str| dir.join(file).display().to_string();
    let kernel = dir.display().to_string();
    let with = |patch: &str, saying: &str| {
        refused(&["--kernel", &kernel, "--patch", &name(patch)], saying);
    };
    with("my.patch", "mm/swap.c: hunk 1 of ");
    with("my.patch", "(6.12.117): nowhere are there its lines, the first of which is `int c;`");
    with("no.patch", "no patch: found");
    with("none.patch", "cannot read");
    refused(&["--kernel", &kernel, "--cc", "no-such-compiler"], "no no-such-compiler here");
    refused(&["--kernel", &kernel, "--init", &name("none.c")], "cannot read");
    refused(&["--kernel", &kernel, "--init", &name("typo.c")], "typo.c:4: set_up() is no task");
    let saying = "no scenario on C has `nothing` in its name; there are";
    refused(&["--kernel", &kernel, "nothing"], saying);
    fs::write(dir.join(".config"), "").expect("written");
    refused(&["--kernel", &kernel], "has been built in place (there is .config)");
    fs::remove_dir_all(&dir).expect("removed");
}
