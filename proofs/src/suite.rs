//! Trees of somebody else's crate, and what is asked of them: the entry for whoever uses these
//! crates as libraries. `docs/outside.md` shows a whole crate, `examples/own-patch` is one.

use std::iter;

use selvedge_explore::{Bounds, Engine};
use selvedge_models::{Kind, Tree, trees};

use crate::claim::{inherited, known};
use crate::{Answers, Claim, Expected, Row, Source, check};

/// What is asked of trees that are in no list of Selvedge: all that is asked of the trees that they
/// are on top of. Expected is what is known of those, until it is said otherwise.
///
/// ```
/// use selvedge_models::{Commit, Tree, set, fs::buffer::InstallCheck, trees::V5_15};
/// use selvedge_proofs::{Expected, Source, Suite};
///
/// static LOCKED: Commit = Commit::posted(
///     "mm: look under the lock (me, 2026-01-01)",
///     &[set!(buffer.install_check = InstallCheck::UnderLock)],
/// );
/// static MINE: Tree =
///     Tree { name: "mine", about: LOCKED.title, ..V5_15.patched(&[&LOCKED]) };
///
/// // In v5.15 this rule is violated; the patch mends it.
/// let mended = Source::commit("c0226eb8bde8");
/// Suite::of(&[&MINE])
///     .expect("install_vs_prep", Expected::Holds, mended)
///     .assert("install_vs_prep");
/// ```
#[derive(Debug)]
pub struct Suite {
    trees: Vec<&'static Tree>,
    claims: Vec<Claim>,
    /// What is wrong with what was asked for.
    problems: Vec<String>,
}

/// A claim and the engine to check it under.
pub type AskedOf = (&'static Claim, Engine);

impl Suite {
    /// What is asked of the bases of these trees. A tree may be on top of another of them.
    #[must_use]
    pub fn of(trees: &[&'static Tree]) -> Suite {
        let mut suite = Suite { trees: Vec::new(), claims: Vec::new(), problems: Vec::new() };
        // A base has to be known before what is on top of it.
        for &tree in trees {
            let problem = suite.problem_of(tree);
            suite.trees.push(tree);
            match problem {
                Some(problem) => suite.problems.push(format!("tree `{}`: {problem}", tree.name)),
                None => suite.claims.extend(inherited(known(), tree, suite.bases(tree))),
            }
        }
        suite
    }

    /// Why nothing can be asked of a tree.
    fn problem_of(&self, tree: &Tree) -> Option<String> {
        let (name, base) = (tree.name, tree.base);
        let is_plain = |c: char| c.is_ascii_graphic() && c != ':' && c != '/';
        if name.is_empty() || !name.chars().all(is_plain) {
            return Some("a name is of letters, digits, `-`, `.`, `_` or `+`".into());
        }
        if trees::by_name(name).is_some() || self.trees.iter().any(|known| known.name == name) {
            return Some("there is a tree of this name already: take another".into());
        }
        if tree.kind == Kind::Release {
            return Some(format!("it calls itself a release: write `..{base}.patched(&[…])`"));
        }
        self.tree(base).is_none().then(|| {
            format!("its base `{base}` is no tree of Selvedge, and none that is named before it")
        })
    }

    fn tree(&self, name: &str) -> Option<&'static Tree> {
        self.trees.iter().copied().find(|tree| tree.name == name).or_else(|| trees::by_name(name))
    }

    /// The trees that this one is on top of, the nearest first.
    fn bases(&self, tree: &Tree) -> Vec<&'static Tree> {
        let base_of = |tree: &Tree| match tree.kind {
            Kind::Release => None,
            _ => self.tree(tree.base),
        };
        iter::successors(base_of(tree), |tree| base_of(tree)).collect()
    }

    /// Something is expected otherwise than of the bases: of the rows that have `part` in their
    /// name `subsystem::rule::scenario::tree::engine`, of which there is at least one.
    #[must_use]
    pub fn expect(mut self, part: &str, expected: Expected, source: Source) -> Suite {
        let is_meant = |claim: &Claim| claim.is_meant_by(claim.engines[0], part);
        let mut meant = self.claims.iter_mut().filter(|claim| is_meant(claim)).peekable();
        if meant.peek().is_none() {
            self.problems.push(format!("expected of no row: none has `{part}` in its name"));
            return self;
        }
        for claim in meant {
            (claim.expected, claim.source) = (expected, source);
        }
        self
    }

    /// Questions of your own, with their answers; `subsystem` is the first part of their names. See
    /// [`crate::ask`].
    #[must_use]
    pub fn and(mut self, subsystem: &'static str, answers: Vec<Answers>) -> Suite {
        self.claims.extend(answers.into_iter().flat_map(|answers| answers.claims_of(subsystem)));
        self
    }

    /// The rows, each claim under its default engine: for a harness that makes a test of each. They
    /// are kept until the process ends.
    ///
    /// # Errors
    ///
    /// If a tree cannot be asked anything, or an expectation is of no row; each of them.
    pub fn rows(self) -> Result<Vec<AskedOf>, String> {
        let by_default = |claim: &'static Claim| (claim, claim.engines[0]);
        Ok(self.into_claims()?.iter().map(by_default).collect())
    }

    /// The rows, each claim under every engine that can see it.
    ///
    /// # Errors
    ///
    /// As [`Suite::rows`].
    pub fn rows_of_every_engine(self) -> Result<Vec<AskedOf>, String> {
        let claims = self.into_claims()?.iter();
        Ok(claims.flat_map(|claim| claim.engines.iter().map(move |&e| (claim, e))).collect())
    }

    fn into_claims(self) -> Result<&'static [Claim], String> {
        if !self.problems.is_empty() {
            return Err(self.problems.join("\n"));
        }
        if self.claims.is_empty() {
            return Err("nothing is asked: no claim is about the bases of these trees".into());
        }
        Ok(self.claims.leak())
    }

    /// Checks the rows that have `part` in their name, each claim under its default engine; `""`
    /// means all.
    ///
    /// # Errors
    ///
    /// As [`Suite::rows`], and if no row is meant.
    pub fn check(self, part: &str) -> Result<Vec<Row>, String> {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let bounds = Bounds { workers, ..Bounds::PROOF };
        let rows = self.rows()?.into_iter();
        let meant = rows.filter(|(claim, engine)| claim.is_meant_by(*engine, part));
        let rows: Vec<Row> = meant.map(|(claim, engine)| check(claim, engine, &bounds)).collect();
        if rows.is_empty() { Err(format!("no row has `{part}` in its name")) } else { Ok(rows) }
    }

    /// For a test: the rows that have `part` in their name come out as expected.
    ///
    /// # Panics
    ///
    /// If one does not, with each such row's expectation and table; and where [`Suite::check`] is
    /// an error.
    #[track_caller]
    pub fn assert(self, part: &str) {
        let rows = self.check(part).unwrap_or_else(|why| panic!("{why}"));
        let wrong: Vec<String> = rows.iter().filter_map(|row| row.as_expected().err()).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[cfg(test)]
mod tests {
    use selvedge_kernel::{atomic_read, fail};
    use selvedge_models::trees::V5_15;
    use selvedge_models::{Commit, fs::buffer::InstallCheck, set};
    use selvedge_trace::Rule;

    use super::*;
    use crate::{Scenario, ask, cpu};

    static LOCKED: Commit = Commit::posted(
        "mm: look under the lock (test)",
        &[set!(buffer.install_check = InstallCheck::UnderLock)],
    );
    static BASE: Tree = Tree { name: "mine", ..V5_15.patched(&[]) };
    static TOP: Tree = Tree { name: "mine-locked", ..BASE.patched(&[&LOCKED]) };

    fn names(suite: Suite) -> Vec<String> {
        let rows = suite.rows().expect("rows");
        rows.iter().map(|(claim, engine)| claim.name(*engine)).collect()
    }

    #[test]
    fn a_tree_is_asked_what_its_base_is_asked_also_on_top_of_another_of_yours() {
        let both = names(Suite::of(&[&BASE, &TOP]));
        let of = |tree: &str| -> Vec<String> {
            let part = format!("::{tree}::");
            both.iter().filter(|name| name.contains(&part)).map(|n| n.replace(&part, "")).collect()
        };
        let known = known().iter().filter(|claim| claim.tree.name == "v5.15").count();
        assert!(known > 3, "{known}");
        assert_eq!(of("mine").len(), known);
        assert_eq!(of("mine"), of("mine-locked"));
    }

    #[test]
    fn what_a_patch_mends_passes_and_can_be_claimed() {
        let rows = Suite::of(&[&BASE, &TOP]).check("install_vs_prep").expect("rows");
        let [as_before, mended] = rows.as_slice() else { panic!("{}", rows.len()) };
        assert_eq!(as_before.as_expected(), Ok(()));
        assert_eq!(as_before.claim.expected, Expected::Violated);
        assert_eq!((mended.as_expected(), mended.is_mended()), (Ok(()), true));
        assert_eq!(mended.claim.expected, Expected::Violated, "as in v5.15");
        let source = Source::commit("c0226eb8bde8");
        let suite = Suite::of(&[&BASE, &TOP]);
        suite.expect("mine-locked", Expected::Holds, source).assert("install_vs_prep::mine-locked");
    }

    /// The other way round: a regression is shown.
    #[test]
    fn an_unexpected_violation_has_its_rule_and_its_table() {
        let suite = Suite::of(&[&BASE]).expect("mine", Expected::Holds, Source::analysis("a test"));
        let rows = suite.check("install_vs_prep").expect("rows");
        let why = rows[0].as_expected().expect_err("it is violated");
        assert!(why.contains("rule: no bh stays in a bh_lru"), "{why}");
        assert!(why.contains("CPU0 installer") && why.contains("Broken: "), "{why}");
    }

    /// A rule, a scenario and a tree, none of which Selvedge knows.
    #[test]
    fn a_question_of_somebody_else_is_asked() {
        const CAUGHT: Rule = Rule("the migrator sees that bh0 is installed");
        static LOOKS: Scenario = Scenario {
            name: "install_vs_look",
            tasks: &[
                cpu(0, "installer", |k| (k.tree.buffer.bh_lru_install())(k, &k.buffer_heads[0])),
                cpu(1, "migrator", |k| {
                    let count = atomic_read(&k.buffer_heads[0].b_count);
                    if count < 2 {
                        fail(CAUGHT, "it looks too early");
                    }
                }),
            ],
            ..Scenario::EMPTY
        };
        let asked = ask(CAUGHT, &LOOKS, Source::analysis("nothing orders the two"), &[]);
        let answers = asked.under(&[Engine::Dpor]).violated(&[&BASE]);
        let rows = Suite::of(&[]).and("mine", vec![answers]).check("").expect("a row");
        assert_eq!(
            rows[0].name(),
            "mine::the_migrator_sees_that_bh0_is_installed::install_vs_look::mine::dpor"
        );
        assert_eq!(rows[0].as_expected(), Ok(()));
    }

    #[test]
    fn what_cannot_be_asked_is_named() {
        static NAMELESS: Tree = V5_15.patched(&[]);
        static TAKEN: Tree = Tree { name: "v6.1", ..V5_15.patched(&[]) };
        static RELEASE: Tree = Tree { name: "v5.15-mine", ..V5_15 };
        let error = |suite: Suite| suite.rows().expect_err("refused");
        assert!(error(Suite::of(&[&NAMELESS])).contains("a name is of"));
        assert!(error(Suite::of(&[&TAKEN])).contains("already"));
        assert!(error(Suite::of(&[&BASE, &BASE])).contains("already"));
        assert!(error(Suite::of(&[&RELEASE])).contains("calls itself a release"));
        assert!(error(Suite::of(&[&TOP])).contains("its base `mine` is no tree"));
        assert!(error(Suite::of(&[])).contains("nothing is asked"));
        let suite = Suite::of(&[&BASE]).expect("nowhere", Expected::Holds, Source::analysis("?"));
        assert!(error(suite).contains("none has `nowhere`"));
        assert!(Suite::of(&[&BASE]).check("nowhere").is_err_and(|why| why.contains("no row")));
    }
}
