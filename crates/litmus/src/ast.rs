//! A litmus test as parsed.

use std::collections::BTreeSet;

use crate::lex::Place;

/// A litmus test.
#[derive(Clone, PartialEq, Debug)]
pub struct Test {
    /// The name after `C`.
    pub name: String,
    /// `Result:` of a comment: `Never`, `Sometimes`, `Always`, `DEADLOCK`.
    pub result: Option<String>,
    /// Initial values of locations: a number, or the address of a location.
    pub(crate) initial: Vec<(String, Value)>,
    /// Initial values of registers, by process.
    pub(crate) registers: Vec<(usize, String, Value)>,
    pub(crate) processes: Vec<Process>,
    /// States that do not satisfy it are not counted.
    pub(crate) filter: Option<Condition>,
    /// The quantifier of the final condition.
    pub quantifier: Quantifier,
    /// The final condition.
    pub condition: Condition,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Value {
    Number(i64),
    Address(String),
}

/// What kind of location a parameter points to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Plain,
    Atomic,
    Spinlock,
    RawSpinlock,
    Mutex,
    RwSem,
    RwLock,
    Completion,
    SeqCount,
    RefCount,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Process {
    pub(crate) parameters: Vec<(Kind, String)>,
    pub(crate) body: Vec<Statement>,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Statement {
    /// A register is declared, and may be given a value.
    Declare(String, Option<Expr>),
    /// A register gets a value.
    Set(String, Expr),
    /// `*pointer = value`, plain.
    Store(Expr, Expr),
    Evaluate(Expr),
    If(Expr, Vec<Statement>, Vec<Statement>),
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Expr {
    Number(i64),
    /// A register, or a parameter: then the address of its location.
    Name(String),
    /// `*pointer`, a plain load.
    Load(Box<Expr>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    /// `~x`
    Complement(Box<Expr>),
    /// `a ? b : c`
    Choice(Box<Expr>, Box<Expr>, Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    /// A primitive; an argument `*p` of a macro, and `&x`, are the pointer.
    Call(String, Vec<Expr>, Place),
}

impl Expr {
    /// The expressions right below it.
    pub(crate) fn parts(&self) -> Vec<&Expr> {
        match self {
            Expr::Number(_) | Expr::Name(_) => Vec::new(),
            Expr::Load(inner)
            | Expr::Not(inner)
            | Expr::Negate(inner)
            | Expr::Complement(inner) => vec![inner],
            Expr::Binary(_, a, b) => vec![a, b],
            Expr::Choice(condition, then, otherwise) => vec![condition, then, otherwise],
            Expr::Call(_, arguments, _) => arguments.iter().collect(),
        }
    }

    fn add_names(&self, names: &mut BTreeSet<String>) {
        if let Expr::Name(name) = self {
            names.insert(name.clone());
        }
        self.parts().into_iter().for_each(|part| part.add_names(names));
    }
}

impl Process {
    /// The registers and parameters that some expression uses.
    pub(crate) fn used(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut add = |expr: &Expr| expr.add_names(&mut names);
        for_each_expr(&self.body, &mut add);
        names
    }
}

/// All expressions of the statements, but not those below them.
pub(crate) fn for_each_expr<'a>(block: &'a [Statement], with: &mut impl FnMut(&'a Expr)) {
    for statement in block {
        match statement {
            Statement::Declare(_, None) => {}
            Statement::Declare(_, Some(value)) | Statement::Set(_, value) => with(value),
            Statement::Evaluate(value) => with(value),
            Statement::Store(pointer, value) => {
                with(pointer);
                with(value);
            }
            Statement::If(condition, then, otherwise) => {
                with(condition);
                for_each_expr(then, with);
                for_each_expr(otherwise, with);
            }
        }
    }
}

/// How the final condition is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quantifier {
    /// Does some state satisfy it?
    Exists,
    /// Does none?
    NotExists,
    /// Do all?
    Forall,
}

/// A condition on a final state.
#[derive(Clone, PartialEq, Debug)]
pub enum Condition {
    /// A register of a process equals.
    Register(usize, String, Operand),
    /// A location equals.
    Location(String, Operand),
    /// Negation.
    Not(Box<Condition>),
    /// Both.
    And(Box<Condition>, Box<Condition>),
    /// One of them.
    Or(Box<Condition>, Box<Condition>),
    /// `true`
    True,
}

/// What a register or location is compared with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operand {
    /// A number.
    Number(i64),
    /// The address of a location.
    Address(String),
    /// A register of a process.
    Register(usize, String),
}
