//! Where an expectation comes from.

use std::fmt;

/// Where an expectation comes from. Printed with its kind first, so that a reader knows how far to
/// trust it, and where to look it up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// A row of a page of facts: `docs/facts/PAGE.md#ROW`.
    Sheet {
        /// The page, without its directory and ending.
        page: &'static str,
        /// The row: the name of its anchor.
        row: &'static str,
        /// Which part of the row, or nothing.
        part: &'static str,
    },
    /// What a commit of the kernel says that it mends or brings in.
    Commit {
        /// Its hash, twelve digits.
        id: &'static str,
        /// What is ours of it, or nothing.
        remark: &'static str,
    },
    /// A patch or a question on a mailing list.
    Mail(&'static str),
    /// A bug report: of KCSAN, of syzbot.
    Report(&'static str),
    /// A comment in the kernel's source.
    Comment {
        /// The file.
        file: &'static str,
        /// What it says.
        says: &'static str,
    },
    /// What is known of the tree that a tree of yours was derived from.
    Base(&'static str),
    /// No source but an argument of our own, which is this.
    Analysis(&'static str),
}

impl Source {
    /// A row of `docs/facts/kernel-lru.md`.
    pub const fn lru(row: &'static str) -> Source {
        Source::Sheet { page: "kernel-lru", row, part: "" }
    }

    /// A row of `docs/facts/kernel-migrate.md`.
    pub const fn migrate(row: &'static str) -> Source {
        Source::Sheet { page: "kernel-migrate", row, part: "" }
    }

    /// A part of a row of `docs/facts/kernel-migrate.md`.
    pub const fn migrate_part(row: &'static str, part: &'static str) -> Source {
        Source::Sheet { page: "kernel-migrate", row, part }
    }

    /// A row of `docs/facts/report.md`.
    pub const fn report(row: &'static str) -> Source {
        Source::Sheet { page: "report", row, part: "" }
    }

    /// A commit of the kernel.
    pub const fn commit(id: &'static str) -> Source {
        Source::Commit { id, remark: "" }
    }

    /// An argument of our own.
    pub const fn analysis(argument: &'static str) -> Source {
        Source::Analysis(argument)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Source::Sheet { page, row, part: "" } => write!(f, "{page}:{row}"),
            Source::Sheet { page, row, part } => write!(f, "{page}:{row}, {part}"),
            Source::Commit { id, remark: "" } => write!(f, "commit:{id}"),
            Source::Commit { id, remark } => write!(f, "commit:{id}; {remark}"),
            Source::Mail(what) => write!(f, "mail: {what}"),
            Source::Report(what) => write!(f, "report: {what}"),
            Source::Comment { file, says } => write!(f, "{file}: {says}"),
            Source::Base(tree) => write!(f, "as in {tree}"),
            Source::Analysis(argument) => write!(f, "analysis: {argument}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_prints_its_kind() {
        let printed = [
            (Source::lru("B1"), "kernel-lru:B1"),
            (Source::migrate_part("F.3", "SYNC"), "kernel-migrate:F.3, SYNC"),
            (Source::commit("a8b169afbf06"), "commit:a8b169afbf06"),
            (Source::analysis("nobody drains"), "analysis: nobody drains"),
        ];
        for (source, text) in printed {
            assert_eq!(source.to_string(), text);
        }
    }
}
