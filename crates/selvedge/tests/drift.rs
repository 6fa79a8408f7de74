//! `selvedge drift` on a small tree of our own text, with the kernel's names.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

/// A tree, and the file of its fingerprints.
struct Tree {
    dir: PathBuf,
    fingerprints: PathBuf,
}

const SWAP: &str = "static void lru_add(int x)\n{\n\tadd(x);\n}\n\nvoid \
    lru_cache_disable(void)\n{\n\
                    \tcount(1);\n}\n\nvoid folio_activate(int x)\n{\n\tput(x);\n}\n";
const BUFFER: &str = "void __brelse(int *bh)\n{\n\tdrop(bh);\n}\n";
const HEADER: &str = "static inline int lru_cache_disabled(void)\n{\n\treturn 0;\n}\n#define \
                      wait_event(q, c) \\\n\tsleep(q, c)\n";

impl Tree {
    /// One that was recorded as it is.
    fn recorded(name: &str) -> Tree {
        let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("drift_{name}"));
        let _ = fs::remove_dir_all(&root);
        let dir = root.join("linux");
        let tree = Tree { dir, fingerprints: root.join("fingerprints.tsv") };
        let makefile = "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\nEXTRAVERSION =\n";
        tree.write("Makefile", makefile);
        tree.write("mm/swap.c", SWAP);
        tree.write("fs/buffer.c", BUFFER);
        tree.write("include/linux/swap.h", HEADER);
        let recorded = tree.drift(&["--record"]);
        assert_eq!(recorded.status.code(), Some(0), "{}", stderr(&recorded));
        tree
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.dir.join(file);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn drift(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
        command.arg("drift").arg("--kernel").arg(&self.dir);
        command.arg("--fingerprints").arg(&self.fingerprints).args(args);
        command.output().expect("the command runs")
    }

    /// The exit code, and by function its status and the file that it is in now.
    fn statuses(&self) -> (Option<i32>, impl Fn(&str) -> (String, String)) {
        let output = self.drift(&["--format", "json"]);
        let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        assert_eq!(report["schema"], "selvedge-drift/1");
        let functions = report["functions"].as_array().expect("functions").clone();
        let of = move |name: &str| {
            let function = functions.iter().find(|f| f["name"] == name).expect(name);
            let field = |field: &str| function[field].as_str().unwrap_or_default().to_string();
            (field("status"), field("now_in"))
        };
        (output.status.code(), of)
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn status(name: &str) -> (String, String) {
    (name.into(), String::new())
}

#[test]
fn a_comment_is_no_drift() {
    let tree = Tree::recorded("comment");
    tree.write("mm/swap.c", &SWAP.replace("\tcount(1);", "\t/* why */\n\n\tcount( 1 ); // how"));
    let (code, of) = tree.statuses();
    assert_eq!(code, Some(0));
    for same in ["lru_cache_disable", "lru_add", "__brelse", "lru_cache_disabled", "wait_event"] {
        assert_eq!(of(same), status("same"), "{same}");
    }
    assert_eq!(of("folio_isolate_lru"), status("absent"));
}

#[test]
fn what_has_drifted_is_told_by_function() {
    let tree = Tree::recorded("all");
    let without = SWAP.replace("void folio_activate(int x)\n{\n\tput(x);\n}\n", "");
    tree.write("mm/swap.c", &without.replace("count(1)", "count(2)"));
    tree.write("mm/more.c", "void folio_activate(int x) { put(x); }\n");
    // Of this name, but in another part of the kernel.
    tree.write("fs/other/file.c", "static int lru_add(void) { return 2; }\n");
    tree.write("fs/buffer.c", "");
    tree.write("include/linux/swap.h", &HEADER.replace("sleep(q, c)", "sleep(c, q)"));
    tree.write("mm/vmscan.c", "int folio_isolate_lru(void)\n{\n\treturn 1;\n}\n");
    let (code, of) = tree.statuses();
    assert_eq!(code, Some(4));
    assert_eq!(of("lru_cache_disable"), status("changed"));
    assert_eq!(of("folio_activate"), ("moved".into(), "mm/more.c".into()));
    assert_eq!(of("__brelse"), status("gone"));
    assert_eq!(of("wait_event"), status("changed"));
    assert_eq!(of("lru_cache_disabled"), status("same"));
    assert_eq!(of("folio_isolate_lru"), ("come".into(), "mm/vmscan.c".into()));
    assert_eq!(of("lru_add"), status("same"));

    let output = tree.drift(&[]);
    let text = String::from_utf8(output.stdout).expect("text");
    for says in [
        "changed: lru_cache_disable(), mm/swap.c\n    model: models/src/mm/swap/drain.rs:",
        "moved: folio_activate(), mm/swap.c -> mm/more.c\n",
        "gone: __brelse(), fs/buffer.c\n",
        "claims: ",
    ] {
        assert!(text.contains(says), "{says}\n---\n{text}");
    }
}

#[test]
fn a_namesake_in_another_part_of_the_kernel_is_another_function() {
    let tree = Tree::recorded("namesake");
    tree.write("mm/swap.c", &SWAP.replace("lru_add(int x)", "other(int x)"));
    tree.write("fs/other/file.c", "static int lru_add(void) { return 2; }\n");
    let (code, of) = tree.statuses();
    assert_eq!(code, Some(4));
    assert_eq!(of("lru_add"), status("gone"));
}

#[test]
fn a_release_that_is_not_recorded_is_undecided() {
    let tree = Tree::recorded("line");
    tree.write("Makefile", "VERSION = 6\nPATCHLEVEL = 13\nSUBLEVEL = 0\nEXTRAVERSION = -rc2\n");
    let (code, of) = tree.statuses();
    assert_eq!(code, Some(3));
    assert_eq!(of("lru_add"), status("unknown"));
    assert_eq!(tree.drift(&["--against", "6.12"]).status.code(), Some(0));
    let refused = tree.drift(&["--against", "6.1"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("there are those of 6.12.1"), "{}", stderr(&refused));
}

#[test]
fn recording_replaces_the_line_and_keeps_the_others() {
    let tree = Tree::recorded("record");
    tree.write("Makefile", "VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 9\nEXTRAVERSION =\n");
    assert_eq!(tree.drift(&["--record"]).status.code(), Some(0));
    tree.write("Makefile", "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 5\nEXTRAVERSION =\n");
    assert_eq!(tree.drift(&["--record"]).status.code(), Some(0));
    let text = fs::read_to_string(&tree.fingerprints).expect("written");
    let mut releases: Vec<&str> =
        text.lines().skip(1).map(|line| line.split('\t').next().expect("a field")).collect();
    releases.dedup();
    assert_eq!(releases, ["6.1.9", "6.12.5"]);
    let lines: Vec<&str> = text.lines().skip(1).filter(|line| line.starts_with("6.1.")).collect();
    assert!(lines.is_sorted(), "one order, for review");
    assert!(text.contains("6.12.5\tmm/swap.c\tlru_cache_disable\t"), "{text}");
}

#[test]
fn bad_input_is_refused() {
    let tree = Tree::recorded("bad");
    let refused = |tree: &Tree, says: &str| {
        let output = tree.drift(&[]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
        assert!(output.stdout.is_empty());
    };
    let whole = fs::read_to_string(&tree.fingerprints).expect("recorded");
    fs::write(&tree.fingerprints, &whole[..whole.len() - 9]).expect("cut short");
    refused(&tree, "fingerprints.tsv: line ");
    fs::write(&tree.fingerprints, "").expect("emptied");
    refused(&tree, "fingerprints.tsv: line 1: expected");
    fs::remove_file(&tree.fingerprints).expect("removed");
    refused(&tree, "cannot read");
    fs::write(&tree.fingerprints, whole).expect("as it was");
    tree.write("Makefile", "all:\n");
    refused(&tree, "Makefile: not a kernel's");
    fs::remove_file(tree.dir.join("Makefile")).expect("removed");
    refused(&tree, "cannot read");
    fs::remove_dir_all(tree.dir.join("mm")).expect("removed");
    refused(&tree, "no kernel tree");
}
