//! `selvedge new --driver NAME`: both files or none, and exit code 2 for a name that will not do.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

const LIST: &str = "models/src/drivers/mod.rs";

/// A checkout, as far as the command looks at it.
fn checkout(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(root.join("models/src/drivers")).expect("a directory");
    let list = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/src/drivers/mod.rs");
    fs::copy(list, root.join(LIST)).expect("the list");
    root
}

fn new_driver(root: &PathBuf, name: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
    command.current_dir(root).args(["new", "--driver", name]).output().expect("it runs")
}

#[test]
fn a_driver_is_a_file_and_a_line() {
    let root = checkout("a_driver");
    let before = fs::read_to_string(root.join(LIST)).expect("the list");
    let done = new_driver(&root, "my_gpu");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let code = fs::read_to_string(root.join("models/src/drivers/my_gpu.rs")).expect("the driver");
    assert!(code.contains("name: \"my_gpu\""));
    let after = fs::read_to_string(root.join(LIST)).expect("the list");
    assert_eq!(after.replace("    my_gpu,\n", ""), before);

    let again = new_driver(&root, "my_gpu");
    assert_eq!(again.status.code(), Some(2));
    assert_eq!(fs::read_to_string(root.join(LIST)).expect("the list"), after);
    let kept = fs::read_to_string(root.join("models/src/drivers/my_gpu.rs")).expect("the driver");
    assert_eq!(kept, code);
}

#[test]
fn a_bad_name_changes_nothing() {
    let root = checkout("a_bad_name");
    let before = fs::read_to_string(root.join(LIST)).expect("the list");
    for bad in ["../evil", "Big", "fn", "a-b", "", "minimal"] {
        let refused = new_driver(&root, bad);
        assert_eq!(refused.status.code(), Some(2), "{bad}");
        assert!(!refused.stderr.is_empty(), "{bad}");
    }
    assert_eq!(fs::read_to_string(root.join(LIST)).expect("the list"), before);
    let files = fs::read_dir(root.join("models/src/drivers")).expect("the directory").count();
    assert_eq!(files, 1);
}

#[test]
fn outside_a_checkout_it_says_so() {
    // The directory of temporary files of the machine: cargo's own is within this checkout.
    let outside = std::env::temp_dir();
    let refused = new_driver(&outside, "my_gpu");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no checkout"));
}

#[test]
fn the_page_about_drivers_names_every_rule() {
    let page = include_str!("../../../docs/movable-driver.md");
    for rule in 1..=11 {
        assert!(page.contains(&format!("| M{rule} |")), "M{rule}");
    }
}
