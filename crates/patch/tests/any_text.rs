//! Whatever the text, reading it ends, and does not panic.

use proptest::prelude::*;
use selvedge_patch::{read, touched};

/// Lines of diffs and mails, and lines that are nearly such.
const LINES: &[&str] = &[
    "diff --git a/mm/x.c b/mm/x.c",
    "--- a/mm/x.c",
    "+++ b/mm/x.c",
    "--- /dev/null",
    "+++ /dev/null",
    "--- ",
    "+++ ",
    "@@ -1,3 +1,4 @@ static int f(int a,",
    "@@ -9 +9 @@",
    "@@ -18446744073709551615,18446744073709551615 +1,2 @@ out:",
    "@@ -99999999999999999999,1 +1 @@",
    "@@ -1,2 +é @@",
    " {",
    "+{",
    "+}",
    "-}",
    " static int g(void)",
    "+int h(int a) { return 0; }",
    "+SYSCALL_DEFINE1(é, int, x)",
    "+#define X(",
    "+/* a",
    " * b */",
    "+\"/* ' \\",
    "-",
    "+",
    "",
    "\\ No newline at end of file",
    "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001",
    "Subject: =?utf-8?q?=5BPATCH=5D?= é",
    " folded",
    "[PATCH",
    "Content-Transfer-Encoding: quoted-printable",
    "Content-Transfer-Encoding: base64",
    "--------boundary",
    "=3D=é=",
    "éé>é> é",
];

fn diffs() -> impl Strategy<Value = String> {
    let mark = prop::sample::select(vec!["", "> ", "> > ", ">>", "    ", "\t"]);
    let line = (mark, prop::sample::select(LINES)).prop_map(|(mark, line)| format!("{mark}{line}"));
    let breaks = prop::sample::select(vec!["\n", "\r\n", " "]);
    (prop::collection::vec(line, 0..60), breaks).prop_map(|(lines, breaks)| lines.join(breaks))
}

fn read_all(text: &str, file: &str) {
    let Ok(input) = read(text) else { return };
    assert!(!input.patches.is_empty());
    for file_diff in input.patches.iter().flat_map(|patch| &patch.files) {
        assert!(!file_diff.hunks.is_empty());
        for hunk in &file_diff.hunks {
            touched(hunk, None);
            touched(hunk, Some(file));
            touched(hunk, Some(text));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,300}", file in ".{0,100}") {
        read_all(&text, &file);
    }

    #[test]
    fn any_order_of_lines_is_read_or_refused(text in diffs(), file in diffs()) {
        read_all(&text, &file);
    }

    #[test]
    fn a_mail_with_bytes_changed_is_read_or_refused(
        which in 0..5_usize,
        edits in prop::collection::vec((0..4000_usize, any::<u8>()), 0..20),
    ) {
        let texts: [&str; 5] = [
            include_str!("mails/format_patch.patch"),
            include_str!("mails/series.mbox"),
            include_str!("mails/quoted.txt"),
            include_str!("mails/flattened.txt"),
            include_str!("mails/one_line.txt"),
        ];
        let mut bytes = texts[which].as_bytes().to_vec();
        for (at, byte) in edits {
            let length = bytes.len();
            bytes[at % length] = byte;
        }
        read_all(&String::from_utf8_lossy(&bytes), include_str!("mails/cloth.c"));
    }
}
