//! In which function each line of a C text is: of a file, or of one side of a hunk.
//!
//! The kernel's own layout is what tells: a function begins in the first column, its `{` is alone
//! in the first column, and so is its `}`. Text that has lost its indentation tells less; there a
//! `}` ends the function only if what comes after it cannot be inside of one.

/// Whose a line is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Owner {
    /// Inside a function, or its first lines.
    In(String),
    /// Between functions.
    Outside,
    /// Inside a function, but nothing says which.
    Unknown,
}

/// What a line is, besides its owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub owner: Owner,
    /// The line has code, and not only a comment, a brace, or nothing.
    pub has_code: bool,
    /// The line has (a part of) a comment.
    pub has_comment: bool,
    /// A function begins here.
    pub begins: bool,
}

/// Where a text starts, and what is known of its layout.
pub(crate) struct Context {
    /// Whose the line before it is.
    pub start: Owner,
    /// The indentation is lost.
    pub flattened: bool,
    /// It is a whole file, so that every function's end is seen. Where it is not, the heading of a
    /// hunk may be of a function that ended before the hunk begins.
    pub whole: bool,
}

/// Whose the lines after this heading of a hunk are, as far as it says.
pub(crate) fn owner_by_heading(heading: &str, old_start: usize) -> Owner {
    let code = strip_comments(heading, &mut false).0;
    let code = code.trim();
    if let Some(name) = name_of_definition(code) {
        return Owner::In(name);
    }
    let is_label = code.ends_with(':');
    match code.is_empty() || is_label {
        true if is_label || old_start > 1 => Owner::Unknown,
        _ => Owner::Outside,
    }
}

/// Whose each line is.
pub(crate) fn owners(lines: &[&str], context: &Context) -> Vec<Seen> {
    let mut in_comment = begins_in_comment(lines);
    let codes: Vec<(String, bool)> =
        lines.iter().map(|line| strip_comments(line, &mut in_comment)).collect();
    let scan = Scan { lines, codes: &codes, context };
    let mut owner = context.start.clone();
    let mut seen: Vec<Seen> = Vec::with_capacity(lines.len());
    while seen.len() < lines.len() {
        let at = seen.len();
        if let Some(definition) = scan.definition(at) {
            owner = Owner::In(definition.name);
            for line in at..definition.body {
                seen.push(scan.line(line, &owner, line == at));
            }
            if definition.is_over {
                owner = Owner::Outside;
            }
        } else if scan.is_outside(at, &owner) {
            owner = Owner::Outside;
            seen.push(scan.line(at, &owner, false));
        } else {
            seen.push(scan.line(at, &owner, false));
            if scan.ends_function(at) {
                owner = Owner::Outside;
            }
        }
    }
    seen
}

struct Scan<'a> {
    lines: &'a [&'a str],
    codes: &'a [(String, bool)],
    context: &'a Context,
}

/// A function that begins.
struct Definition {
    name: String,
    /// The line after its `{`, or after its end if it is over.
    body: usize,
    /// All of it is in these lines.
    is_over: bool,
}

/// A list of parameters is not longer than this.
const PARAMETER_LINES_MAX: usize = 24;

impl Scan<'_> {
    fn line(&self, at: usize, owner: &Owner, begins: bool) -> Seen {
        let (code, has_comment) = &self.codes[at];
        let has_code = code.chars().any(|c| !c.is_whitespace() && !matches!(c, '{' | '}'));
        Seen { owner: owner.clone(), has_code, has_comment: *has_comment, begins }
    }

    fn code(&self, at: usize) -> &str {
        self.codes.get(at).map_or("", |(code, _)| code.as_str())
    }

    /// In the first column, as far as can be told.
    fn is_at_margin(&self, at: usize) -> bool {
        self.context.flattened || !self.lines[at].starts_with([' ', '\t'])
    }

    /// The function that begins in this line, if one does.
    fn definition(&self, at: usize) -> Option<Definition> {
        if !self.is_at_margin(at) {
            return None;
        }
        let first = self.code(at).trim();
        let name = name_of_definition(first)?;
        let has_type = first.split('(').next().is_some_and(|before| before.trim().contains(' '));
        let (mut depth, mut end) = (0_i32, at);
        // To the end of the parameters.
        loop {
            let code = self.code(end);
            depth += code.matches('(').count() as i32 - code.matches(')').count() as i32;
            if depth <= 0 {
                break;
            }
            end += 1;
            if end >= self.lines.len() {
                // The text ends among the parameters.
                return has_type.then_some(Definition { name, body: end, is_over: false });
            }
            if end - at > PARAMETER_LINES_MAX {
                return None;
            }
        }
        let last = self.code(end).trim();
        if last.ends_with(';') || last.ends_with(',') {
            return None;
        }
        if last.ends_with('}') && last.contains('{') {
            return Some(Definition { name, body: end + 1, is_over: true });
        }
        if last.ends_with('{') {
            // Not the kernel's style, and not told from a loop's macro if there is no type.
            return has_type.then_some(Definition { name, body: end + 1, is_over: false });
        }
        match self.body(end + 1) {
            None => has_type.then_some(Definition { name, body: end + 1, is_over: false }),
            Some(next) => {
                let brace = self.code(next).trim();
                let is_stub = brace.starts_with('{') && brace.len() > 1 && brace.ends_with('}');
                let is_body = is_stub || brace.starts_with('{') && self.is_at_margin(next);
                let is_over = is_stub;
                is_body.then_some(Definition { name, body: next + 1, is_over })
            }
        }
    }

    /// The next line with code; `__releases(lock)` and the like are of the definition.
    fn body(&self, from: usize) -> Option<usize> {
        let next = self.next_code(from)?;
        let code = self.code(next).trim();
        match code.starts_with("__") && code.ends_with(')') {
            true => self.body(next + 1),
            false => Some(next),
        }
    }

    fn next_code(&self, from: usize) -> Option<usize> {
        (from..self.lines.len()).find(|&at| !self.code(at).trim().is_empty())
    }

    /// A line that cannot be inside of a function.
    fn is_outside(&self, at: usize, owner: &Owner) -> bool {
        if self.context.whole && matches!(owner, Owner::In(_)) {
            return false;
        }
        let code = self.code(at).trim_end();
        let text = self.lines[at];
        let is_define = code.starts_with("#define") && *owner == Owner::Unknown;
        if is_define || code.starts_with("#include") || code.starts_with("EXPORT_SYMBOL") {
            return true;
        }
        if self.context.flattened {
            return code.starts_with("extern ")
                || code.starts_with("static ") && !matches!(owner, Owner::In(_));
        }
        // A comment of the top level: ` * ` in the first columns.
        let is_comment = text.starts_with("/*") || text.starts_with(" *");
        let first = code.chars().next();
        let is_word = first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        let is_label = code.ends_with(':') && !code.contains([' ', '(']);
        is_comment || is_word && !is_label
    }

    /// A line that ends a function: its `}`.
    fn ends_function(&self, at: usize) -> bool {
        let code = self.code(at).trim_end();
        if !self.context.flattened {
            return code.starts_with('}');
        }
        if code.trim() != "}" {
            return false;
        }
        // The end of a block may look the same: what comes next decides. At the end of the hunk it
        // does not matter.
        let Some(next) = self.next_code(at + 1) else { return true };
        let code = self.code(next).trim();
        let declares = ["#", "static ", "extern ", "EXPORT_SYMBOL", "struct "];
        let is_declaration = declares.iter().any(|start| code.starts_with(start));
        is_declaration && next > at + 1 || self.definition(next).is_some()
    }
}

/// Words that begin a line with a parenthesis and no function.
const NO_FUNCTION: &[&str] = &[
    "if", "for", "while", "switch", "return", "else", "do", "goto", "case", "default", "typedef",
    "extern", "sizeof", "asm",
];

/// The name of the function that a line begins to define. A definition of a system call has the
/// name `sys_…`.
pub(crate) fn name_of_definition(code: &str) -> Option<String> {
    let code = code.trim();
    let first = code.chars().next()?;
    if !(first.is_ascii_alphabetic() || matches!(first, '_' | '*')) || code.ends_with(';') {
        return None;
    }
    let word = code.split(|c: char| !is_word(c)).next()?;
    if NO_FUNCTION.contains(&word) {
        return None;
    }
    let mut from = 0;
    while let Some(open) = code.get(from..)?.find('(').map(|at| from + at) {
        let before = code.get(..open)?;
        if before.contains(['=', ';', '{', '"']) {
            return None;
        }
        let name = before.trim_end().rsplit(|c: char| !is_word(c)).next()?;
        if name.is_empty() || is_attribute(name) {
            from = open + 1;
            continue;
        }
        return function_name(name, code.get(open + 1..)?);
    }
    None
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What may come before a function's name with a parenthesis of its own.
fn is_attribute(name: &str) -> bool {
    const SOME: &[&str] =
        &["__attribute__", "__printf", "__acquires", "__releases", "__must_hold", "__section"];
    SOME.contains(&name)
}

fn function_name(name: &str, after: &str) -> Option<String> {
    let is_macro = !name.chars().any(|c| c.is_ascii_lowercase());
    if !is_macro {
        return Some(name.into());
    }
    // `SYSCALL_DEFINE6(move_pages, …)`. Other names in capitals declare variables.
    let call =
        after.trim_start().split(|c: char| !is_word(c)).next().filter(|call| !call.is_empty())?;
    let prefix = match name.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "SYSCALL_DEFINE" => "sys_",
        "COMPAT_SYSCALL_DEFINE" => "compat_sys_",
        _ => return None,
    };
    Some(format!("{prefix}{call}"))
}

/// Does a text begin within a comment? It does if one ends before any begins.
fn begins_in_comment(lines: &[&str]) -> bool {
    let ends = lines.iter().position(|line| line.contains("*/"));
    let begins = lines.iter().position(|line| line.contains("/*"));
    match (ends, begins) {
        (Some(end), Some(begin)) => end < begin,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// The line without comments, and with its strings emptied; and whether there was a comment.
fn strip_comments(line: &str, in_comment: &mut bool) -> (String, bool) {
    let mut code = String::with_capacity(line.len());
    let mut has_comment = *in_comment;
    let mut quote = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        if *in_comment {
            if c == '*' && next == Some('/') {
                chars.next();
                *in_comment = false;
            }
        } else if let Some(open) = quote {
            match c {
                '\\' => drop(chars.next()),
                _ if c == open => {
                    code.push(c);
                    quote = None;
                }
                _ => {}
            }
        } else if c == '/' && next == Some('*') {
            chars.next();
            (*in_comment, has_comment) = (true, true);
        } else if c == '/' && next == Some('/') {
            return (code, true);
        } else {
            if c == '"' || c == '\'' {
                quote = Some(c);
            }
            code.push(c);
        }
    }
    (code, has_comment)
}
