//! Patches in each of the forms in which mails have them. The texts are our own.

use selvedge_patch::{Found, How, Input, read, touched};

const WHOLE: &str = include_str!("mails/format_patch.patch");
const SERIES: &str = include_str!("mails/series.mbox");
const PLAIN: &str = include_str!("mails/plain.diff");
const QUOTED: &str = include_str!("mails/quoted.txt");
const INDENTED: &str = include_str!("mails/indented.txt");
const FLATTENED: &str = include_str!("mails/flattened.txt");
const ONE_LINE: &str = include_str!("mails/one_line.txt");
const ONE_LINE_UNQUOTED: &str = include_str!("mails/one_line_unquoted.txt");
const NO_PATCH: &str = include_str!("mails/no_patch.txt");
/// The file that they change, as it was.
const FILE: &str = include_str!("mails/cloth.c");

/// What `mm/cloth.c` has of it, in each of the forms.
const SOURCE: [&str; 3] = [
    "mm/cloth.c: static int threads_held;",
    "mm/cloth.c: warp_thread Changed",
    "mm/cloth.c: count_threads Added",
];
/// And the header.
const HEADER: [&str; 2] = [
    "include/linux/cloth.h: extern void count_threads(struct loom *loom);",
    "include/linux/cloth.h: is_even Changed",
];

/// A line for each function or other line that is touched, for each patch.
fn shown(input: &Input) -> Vec<Vec<String>> {
    let patches = input.patches.iter();
    patches
        .map(|patch| {
            let hunks = patch.files.iter().flat_map(|f| f.hunks.iter().map(|h| (&f.path, h)));
            hunks
                .flat_map(|(path, hunk)| {
                    let touch = touched(hunk, None);
                    assert_eq!(touch.unknown, 0, "{path}: {hunk:?}");
                    let functions =
                        touch.functions.iter().map(|f| format!("{path}: {} {:?}", f.name, f.how));
                    let outside = touch.outside.iter().map(|line| format!("{path}: {line}"));
                    functions.chain(outside).collect::<Vec<_>>()
                })
                .collect()
        })
        .collect()
}

fn input(text: &str) -> Input {
    read(text).expect("it has a patch")
}

fn subjects(input: &Input) -> Vec<&str> {
    input.patches.iter().map(|patch| patch.subject.as_deref().unwrap_or("none")).collect()
}

fn source() -> Vec<String> {
    SOURCE.map(String::from).to_vec()
}

fn both() -> Vec<String> {
    source().into_iter().chain(HEADER.map(String::from)).collect()
}

#[test]
fn format_patch_names_functions_new_functions_and_other_lines() {
    let input = input(WHOLE);
    assert_eq!(subjects(&input), ["[PATCH 1/1] cloth: count the threads that are held"]);
    assert_eq!(shown(&input), [both()]);
    assert!(input.remarks.is_empty(), "{:?}", input.remarks);
}

#[test]
fn a_plain_diff_has_no_subject() {
    let input = input(PLAIN);
    assert_eq!(subjects(&input), ["none"]);
    assert_eq!(shown(&input), [both()]);
}

#[test]
fn line_breaks_of_another_system_change_nothing() {
    let input = input(&WHOLE.replace('\n', "\r\n"));
    assert_eq!(shown(&input), [both()]);
    assert_eq!(subjects(&input), ["[PATCH 1/1] cloth: count the threads that are held"]);
}

#[test]
fn patches_of_an_mbox_are_told_apart() {
    let input = input(SERIES);
    let expected =
        ["[PATCH 1/2] cloth: count the threads", "[PATCH 2/2] cloth: is_even() is right"];
    assert_eq!(subjects(&input), expected);
    assert_eq!(shown(&input), [source(), HEADER.map(String::from).to_vec()]);
}

#[test]
fn a_reviewer_between_quoted_lines_is_passed_over() {
    let input = input(QUOTED);
    assert_eq!(subjects(&input), ["Re: [PATCH v3] cloth: count the threads"]);
    assert_eq!(shown(&input), [source()]);
    assert!(input.remarks.is_empty(), "{:?}", input.remarks);
}

#[test]
fn an_indented_diff_is_a_diff() {
    let input = input(INDENTED);
    assert_eq!(subjects(&input), ["[RFC PATCH] cloth: a thought"]);
    assert_eq!(shown(&input), [both()]);
}

#[test]
fn a_diff_without_indentation_tells_the_same() {
    let input = input(FLATTENED);
    assert_eq!(subjects(&input), ["Re: [PATCH v2] cloth: count the threads"]);
    assert_eq!(shown(&input), [both()]);
    // The quoted hunk at the start is of a file that the mail does not name.
    assert_eq!(input.remarks.len(), 1, "{:?}", input.remarks);
    assert_eq!(input.remarks[0].line, 6);
}

#[test]
fn a_thread_in_one_line_has_its_two_patches() {
    assert_eq!(ONE_LINE.lines().count(), 1);
    let input = input(ONE_LINE);
    let expected = ["[PATCH next] cloth: count the threads", "[PATCH] cloth: is_even() is right"];
    assert_eq!(subjects(&input), expected);
    assert_eq!(shown(&input), [source(), HEADER.map(String::from).to_vec()]);
}

#[test]
fn of_one_line_that_is_not_quoted_the_headers_of_the_hunks_are_read() {
    let input = input(ONE_LINE_UNQUOTED);
    let hunks = &input.patches[0].files[0].hunks;
    let seen: Vec<_> = hunks.iter().map(|hunk| touched(hunk, None)).collect();
    assert!(seen.iter().all(|touch| touch.found == Found::Header));
    let names: Vec<_> = seen.iter().flat_map(|t| &t.functions).map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["warp_thread", "drop_thread"]);
    assert_eq!(seen[0].unknown, 1, "the first hunk has no heading");
}

#[test]
fn the_file_tells_what_the_hunk_cannot() {
    // Without a heading, and with too little context, nothing says whose the line is.
    let diff = "--- a/mm/cloth.c\n+++ b/mm/cloth.c\n@@ -26,3 +26,4 @@\n \tforget(thread);\n \n\
                +\tcount(thread);\n \tput_all(thread);\n";
    let hunk = &input(diff).patches[0].files[0].hunks[0];
    let without = touched(hunk, None);
    assert_eq!((without.functions.len(), without.unknown), (0, 1));
    let with = touched(hunk, Some(FILE));
    assert_eq!(with.found, Found::File);
    assert_eq!(with.functions.len(), 1);
    assert_eq!(
        (with.functions[0].name.as_str(), with.functions[0].how),
        ("drop_thread", How::Changed)
    );
    // Applied already.
    let after = FILE.replace("\tput_all", "\tcount(thread);\n\tput_all");
    assert_eq!(touched(hunk, Some(&after)).functions, with.functions);
    // Another file: the same as without one, and said.
    assert_eq!(touched(hunk, Some("int x;\n")).found, Found::HunkNotInFile);
}

#[test]
fn every_form_agrees_with_the_file() {
    for text in [WHOLE, QUOTED, INDENTED, FLATTENED, ONE_LINE] {
        for hunk in &input(text).patches[0].files[0].hunks {
            let (by_hunk, by_file) = (touched(hunk, None), touched(hunk, Some(FILE)));
            assert_eq!(by_hunk.functions, by_file.functions, "{hunk:?}");
            assert_eq!(by_file.found, Found::File, "{hunk:?}");
        }
    }
}

#[test]
fn a_comment_that_changes_is_no_code() {
    let diff = "--- a/mm/x.c\n+++ b/mm/x.c\n@@ -9,3 +9,3 @@ int f(void)\n {\n-\t/* a */\n\
                +\t/* b */\n \treturn 0;\n";
    let touch = touched(&input(diff).patches[0].files[0].hunks[0], None);
    assert_eq!((touch.functions[0].name.as_str(), touch.functions[0].how), ("f", How::Comments));
}

#[test]
fn a_function_that_is_removed_and_a_system_call_have_names() {
    let diff = "--- a/mm/x.c\n+++ b/mm/x.c\n@@ -9,8 +9,4 @@\n-int f(void)\n-{\n-\treturn 0;\n-}\n\
                 SYSCALL_DEFINE2(weave, int, rows, int, flags)\n {\n-\treturn 1;\n+\treturn 2;\n }\n";
    let touch = touched(&input(diff).patches[0].files[0].hunks[0], None);
    let shown: Vec<_> = touch.functions.iter().map(|f| (f.name.as_str(), f.how)).collect();
    assert_eq!(shown, [("f", How::Removed), ("sys_weave", How::Changed)]);
}

#[test]
fn a_label_or_a_comment_in_the_first_column_does_not_end_a_function_of_a_file() {
    let file = "static void f(struct lock *lock)\n\t__releases(lock)\n{\n\ta();\n/*\n * b\n */\n\
                out:\n\tc();\n\td();\n}\n\nint g(void)\n\t{ return 0; }\nint x;\n";
    let diff = "--- a/mm/x.c\n+++ b/mm/x.c\n@@ -9,2 +9,3 @@ out:\n \tc();\n+\ty();\n \td();\n\
                @@ -13,3 +14,3 @@\n int g(void)\n-\t{ return 0; }\n+\t{ return 1; }\n int x;\n";
    let patch = input(diff);
    let [first, second] = patch.patches[0].files[0].hunks.as_slice() else { panic!("two hunks") };
    assert_eq!(touched(first, None).unknown, 1);
    assert_eq!(touched(first, Some(file)).functions[0].name, "f");
    assert_eq!(touched(second, Some(file)).functions[0].name, "g");
    assert_eq!(touched(second, None).functions[0].name, "g");
}

#[test]
fn a_text_without_a_patch_is_described() {
    let none = read(NO_PATCH).expect_err("there is none").to_string();
    assert!(none.contains("cloth: count the threads before they are cut"), "{none}");
    assert!(none.contains("with no line of a diff"), "{none}");
    assert!(none.contains("expected a unified diff"), "{none}");
    assert!(read("").expect_err("empty").to_string().contains("nothing but blanks"));
    let context = "*** a/x.c\n--- b/x.c\n***************\n*** 1,2 ****\n  a\n";
    assert!(read(context).expect_err("diff -c").to_string().contains("context diff"));
    let hunk = read("@@ -1,2 +1,2 @@\n a\n-b\n+c\n").expect_err("no file").to_string();
    assert!(hunk.contains("without the name of its file"), "{hunk}");
}
