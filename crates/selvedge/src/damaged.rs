//! Texts of files as users and disks damage them, for the tests of those who read them: cut off,
//! changed in a byte or a number, with a line twice or not at all, and such as are of somebody
//! else's.

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// What has been put into a text by hand, or by another program.
const FOREIGN: &[&str] = &[
    "",
    "\u{0}",
    "\u{1b}[2J",
    "\"",
    "{",
    "]",
    "null",
    "-1",
    "1e999",
    "99999999999999999999999999",
    "<<<<<<< HEAD",
    "::",
    "\t",
    "\u{feff}",
    "\u{202e}",
    "{\"schema\": 1}",
];
/// Numbers as nobody writes them.
const NUMBERS: &[&str] = &["0", "-1", "256", "18446744073709551615", "1e308", "0.5", "null", "[]"];

/// The bytes of such a file, which was whole before.
pub fn damaged(whole: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let (text, bytes) = (whole.to_string(), whole.as_bytes().to_vec());
    let at = || any::<Index>();
    let cut = |bytes: Vec<u8>| at().prop_map(move |at| bytes[..at.index(bytes.len())].to_vec());
    let change = |bytes: Vec<u8>| {
        (at(), any::<u8>()).prop_map(move |(at, byte)| {
            let mut bytes = bytes.clone();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes
        })
    };
    let put = |bytes: Vec<u8>| {
        (at(), select(FOREIGN)).prop_map(move |(at, foreign)| {
            let (before, after) = bytes.split_at(at.index(bytes.len()));
            [before, foreign.as_bytes(), after].concat()
        })
    };
    let number = (at(), select(NUMBERS));
    let number = number.prop_map(move |(at, number)| with_number(&text, at, number).into_bytes());
    let lines: Vec<String> = whole.split_inclusive('\n').map(String::from).collect();
    let line = (at(), 0..3_usize).prop_map(move |(at, times)| {
        let at = at.index(lines.len());
        let of =
            |(number, line): (usize, &String)| line.repeat(if number == at { times } else { 1 });
        lines.iter().enumerate().map(of).collect::<String>().into_bytes()
    });
    let any_text = any::<String>().prop_map(String::into_bytes);
    let any_bytes = prop::collection::vec(any::<u8>(), 0..200);
    prop_oneof![
        1 => cut(bytes.clone()),
        1 => change(bytes.clone()),
        1 => put(bytes),
        4 => number,
        1 => line,
        1 => any_text,
        1 => any_bytes
    ]
}

/// Another number in place of one of the text's.
fn with_number(text: &str, at: Index, number: &str) -> String {
    let is_digit = |(at, c): &(usize, char)| {
        c.is_ascii_digit() && !text[..*at].ends_with(|before: char| before.is_ascii_alphanumeric())
    };
    let starts: Vec<usize> = text.char_indices().filter(is_digit).map(|(at, _)| at).collect();
    if starts.is_empty() {
        return format!("{number}{text}");
    }
    let start = starts[at.index(starts.len())];
    let after = text[start..].trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{}{number}{after}", &text[..start])
}
