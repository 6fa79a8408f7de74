//! What can be said of a scenario's file before it is compiled: that takes a configured kernel,
//! which is a minute's work for a tree that is new.
//!
//! The text is looked at as C only as far as names go. What is not understood is left to the
//! compiler; what is refused here would compile, and would then be no scenario, or silently less
//! of one than was meant.

use std::path::Path;

use super::{check_cpu, task_of};
use crate::error::{Error, Result};

/// Looks for what is wrong with the functions of the file.
///
/// # Errors
/// If it cannot be read, has no task, or has a function whose name is likely mistyped.
pub fn look_over(path: &Path) -> Result<()> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io("read", path, &error))?;
    let said = |(line, what): (usize, String)| {
        Error::new(format!("{}:{}: {what}", path.display(), line + 1))
    };
    let code = code(&text).map_err(said)?;
    for function in definitions(&code) {
        let Definition { name, line, is_static } = function;
        let is_task = task_of(name).is_some();
        let is_used = words(&code).filter(|word| *word == name).count() > 1;
        let why = match (is_static, is_task || name == "setup" || name == "at_end") {
            (true, true) if !is_used => format!("{name}() is static, so that nobody can call it"),
            (false, false) if !is_used && is_meant(name) => format!(
                "{name}() is no task (cpuN_NAME, as cpu0_waiter), nor setup(), nor at_end(), and \
                 nothing here uses it"
            ),
            _ => {
                check_cpu(path, name)?;
                continue;
            }
        };
        return Err(said((line, why)));
    }
    // A macro or another file may make one.
    let may_be_hidden = code.contains("##") || code.contains("#include \"");
    let has_task = words(&code).any(|word| task_of(word).is_some());
    if has_task || may_be_hidden { Ok(()) } else { Err(super::no_task(path)) }
}

/// Is it likely meant to be one of the agreed names? Others may stand in for what the kernel calls
/// and nobody models.
fn is_meant(name: &str) -> bool {
    let bare = name.replace('_', "").to_lowercase();
    let is_cpu =
        bare.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    is_cpu || ["setup", "atend", "init"].contains(&bare.as_str())
}

/// A function that the text defines.
struct Definition<'a> {
    name: &'a str,
    /// Counted from 0.
    line: usize,
    is_static: bool,
}

/// The text with blanks for comments and for what is in quotes; or the line where one begins that
/// does not end.
fn code(text: &str) -> std::result::Result<String, (usize, String)> {
    let mut code = String::with_capacity(text.len());
    let (mut inside, mut began): (Option<&str>, usize) = (None, 0);
    for (number, line) in text.lines().enumerate() {
        // An #error may say "don't", and an #include has a name in quotes.
        let is_directive = line.trim_start().starts_with('#');
        let mut rest = line;
        while let Some(next) = rest.chars().next() {
            let opens = ["/*", "//", "\"", "'"].into_iter().find(|open| rest.starts_with(open));
            let length = match (inside, opens) {
                (None, Some("//")) => break,
                (None, Some("/*")) => {
                    (inside, began) = (Some("*/"), number);
                    2
                }
                (None, Some(quote)) if !is_directive => {
                    (inside, began) = (Some(quote), number);
                    1
                }
                (None, _) => {
                    code.push(next);
                    next.len_utf8()
                }
                (Some(end), _) if rest.starts_with(end) => {
                    inside = None;
                    code.push(' ');
                    end.len()
                }
                (Some(end), _) if next == '\\' && end != "*/" => {
                    1 + rest[1..].chars().next().map_or(0, char::len_utf8)
                }
                (Some(_), _) => next.len_utf8(),
            };
            rest = &rest[length..];
        }
        if let Some(quote) = inside.filter(|end| *end != "*/" && !line.ends_with('\\')) {
            return Err((number, format!("what begins with {quote} does not end in this line")));
        }
        code.push('\n');
    }
    match inside {
        None => Ok(code),
        Some(_) => Err((began, "a comment begins here that does not end".into())),
    }
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Names, keywords and numbers.
fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c| !is_part(c)).filter(|word| !word.is_empty())
}

/// The functions whose definition begins a line, in the kernel's style.
fn definitions(code: &str) -> Vec<Definition<'_>> {
    let mut at = 0;
    let mut found = Vec::new();
    for (line, text) in code.split_inclusive('\n').enumerate() {
        let from = at;
        at += text.len();
        let begins = text.starts_with(|c: char| is_part(c) && !c.is_ascii_digit());
        let Some(bracket) = text.find('(').filter(|_| begins) else { continue };
        let head: Vec<&str> = words(&text[..bracket]).collect();
        let is_function = text[..bracket].trim_end().ends_with(is_part)
            && !text[..bracket].contains(['=', ',', ';', '{']);
        // `void name(`: a macro has no type before it.
        let [_, .., name] = head[..] else { continue };
        if is_function && has_body(&code[from + bracket..]) {
            found.push(Definition { name, line, is_static: head.contains(&"static") });
        }
    }
    found
}

/// What follows the arguments that begin here: is it a body?
fn has_body(code: &str) -> bool {
    let mut depth = 0;
    let end = code.char_indices().find_map(|(at, c)| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        (depth == 0).then_some(at + 1)
    });
    end.is_some_and(|end| code[end..].trim_start().starts_with('{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked_over(name: &str, text: &str) -> std::result::Result<(), String> {
        let file = format!("selvedge-c-own-{}-{name}.c", std::process::id());
        let path = std::env::temp_dir().join(file);
        std::fs::write(&path, text).expect("written");
        let answer = look_over(&path);
        std::fs::remove_file(&path).expect("removed");
        answer.map_err(|error| error.to_string())
    }

    #[test]
    fn a_name_that_is_mistyped_is_told_with_its_line() {
        for (name, text, says) in [
            ("none", "#include <selvedge.h>\nint x;\n", "it has no task"),
            (
                "set_up",
                "void cpu0_a(void)\n{\n}\nvoid set_up(void)\n{\n}\n",
                ":4: set_up() is no task",
            ),
            ("no_bar", "void cpu0_a(void) {}\nvoid cpu1b(void) {}\n", ":2: cpu1b() is no task"),
            ("static", "static void cpu0_a(void)\n{\n}\n", ":1: cpu0_a() is static"),
            ("far", "void cpu9_a(void)\n{\n}\n", "CPUs are 0 to 7"),
            ("comment", "void cpu0_a(void) {}\n/* why\n", ":2: a comment begins here"),
            ("quote", "void cpu0_a(void)\n{\n\tpr_info(\"a);\n}\n", ":3: what begins with \""),
        ] {
            let why = looked_over(name, text).expect_err(name);
            assert!(why.contains(says), "{name}: {why}");
        }
    }

    #[test]
    fn what_compiles_to_a_scenario_is_not_refused() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
        let all =
            std::fs::read_dir(examples).expect("there").map(|entry| entry.expect("one").path());
        let all = all.filter(|path| path.extension().is_some_and(|end| end == "c"));
        assert_eq!(all.map(|path| look_over(&path).expect("a scenario")).count(), 3);
        for (name, text) in [
            (
                "helper",
                "int help(int a,\n\t int b)\n{\n}\nvoid cpu0_a(void)\n{\n\thelp(1, 2);\n}\n",
            ),
            ("declared", "void other(void);\nvoid cpu0_a(void) { other(); }\n"),
            ("macro", "#define TASK(n, w) void cpu##n##_##w(void)\nTASK(0, a) { }\n"),
            ("stub", "void cpu0_a(void) {}\nint down_read_trylock(void *sem)\n{\n}\n"),
            ("quoted", "#error don't\nvoid cpu0_a(void)\n{\n\tpr_info(\"'{ \\\"(\", '\"');\n}\n"),
        ] {
            assert_eq!(looked_over(name, text), Ok(()), "{name}");
        }
    }
}
