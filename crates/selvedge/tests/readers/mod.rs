//! Strict readers of what we write for other programs.

/// Reads Graphviz's language as far as we write it, strictly: the nodes and the edges.
pub fn read_dot(text: &str) -> Result<(usize, usize), String> {
    let (mut tokens, mut rest) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => {
                let mut chars = rest.char_indices().skip(1);
                let mut end = None;
                while let Some((at, c)) = chars.next() {
                    match c {
                        '\\' => drop(chars.next()),
                        '"' => {
                            end = Some(at + 1);
                            break;
                        }
                        '\n' => return Err("a line ends within quotes".into()),
                        _ => {}
                    }
                }
                end.ok_or("quotes without an end")?
            }
            '{' | '}' | '[' | ']' | '=' | ',' | ';' => 1,
            '-' if rest.starts_with("->") => 2,
            c if c.is_ascii_alphanumeric() => {
                rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len())
            }
            other => return Err(format!("{other:?} outside of quotes")),
        };
        tokens.push(match first {
            '"' => "ID",
            c if c.is_ascii_alphanumeric() && !rest.starts_with("digraph") => "ID",
            _ => &rest[..length],
        });
        rest = rest[length..].trim_start();
    }
    let body = tokens.strip_prefix(&["digraph", "ID", "{"][..]).ok_or("no digraph")?;
    let body = body.strip_suffix(&["}"][..]).ok_or("no end")?;
    let (mut nodes, mut edges) = (0, 0);
    for statement in body.split(|token| *token == ";").filter(|tokens| !tokens.is_empty()) {
        let attributes = |tokens: &[&str]| {
            let inside = tokens.strip_prefix(&["["][..]).and_then(|t| t.strip_suffix(&["]"][..]));
            inside.is_some_and(|t| t.split(|t| *t == ",").all(|one| one == ["ID", "=", "ID"]))
        };
        match statement {
            ["ID", "=", "ID"] => {}
            ["ID", "->", "ID", rest @ ..] if attributes(rest) => edges += 1,
            ["ID", rest @ ..] if attributes(rest) => nodes += 1,
            other => return Err(format!("no statement: {other:?}")),
        }
    }
    Ok((nodes, edges))
}

/// Reads what Mermaid takes for a sequence diagram, as far as we write it: how many participants
/// and how many messages and notes there are.
pub fn read_mermaid(text: &str) -> Result<(usize, usize), String> {
    let lines = text.strip_prefix("sequenceDiagram\n").ok_or("no sequence diagram")?.lines();
    let (mut participants, mut messages) = (Vec::new(), 0);
    for line in lines.map(str::trim_start) {
        let known = |name: &str| participants.contains(&name.to_string());
        let is_text = |text: &str| !text.contains(['<', '>', '"', '`', '\\', '$', '%', '\'']);
        if let Some((name, shown)) =
            line.strip_prefix("participant ").and_then(|l| l.split_once(" as "))
        {
            participants.push(name.to_string());
            is_text(shown).then_some(()).ok_or(format!("syntax in {line}"))?;
            continue;
        }
        let (head, shown) = line.split_once(": ").ok_or(format!("no message: {line}"))?;
        let of = head.strip_prefix("Note over ");
        let who: Vec<&str> = match of {
            Some(who) => who.split(',').collect(),
            None => head.split("->>").collect(),
        };
        let is_known = who.iter().all(|who| known(who));
        (is_known && is_text(shown)).then_some(()).ok_or(format!("not read: {line}"))?;
        messages += 1;
    }
    Ok((participants.len(), messages))
}

/// Reads a line of ftrace's text as its importers do: task, number, CPU, flags, time, the rest.
pub fn read_ftrace(line: &str) -> Option<(&str, u32, u32, &str, f64, &str)> {
    let (who, rest) = line.trim_start().split_once(" [")?;
    let (comm, pid) = who.trim_end().rsplit_once('-')?;
    let (cpu, rest) = rest.split_once("] ")?;
    let (flags, rest) = rest.split_once(' ')?;
    let (time, rest) = rest.trim_start().split_once(": ")?;
    let flags = Some(flags).filter(|flags| flags.len() == 5)?;
    let comm = Some(comm).filter(|comm| comm.chars().count() <= 15)?;
    Some((comm, pid.parse().ok()?, cpu.parse().ok()?, flags, time.parse().ok()?, rest))
}
