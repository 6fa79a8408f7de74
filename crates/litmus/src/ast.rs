//! A litmus test as parsed.

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
    Binary(&'static str, Box<Expr>, Box<Expr>),
    /// A primitive; an argument `*p` of a macro, and `&x`, are the pointer.
    Call(String, Vec<Expr>, Place),
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
