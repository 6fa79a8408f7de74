//! The kernel's C dialect of litmus tests, as herd7 reads it.
//!
//! ```text
//! (* comments *)
//! C name
//! Cycle=..., "a title": whatever stands before the brace is skipped
//! { initial values }
//! P0(int *x, spinlock_t *l) { statements }
//! locations [x; 0:r1]  filter (condition)  exists (condition)
//! ```

use crate::ast::{Condition, Expr, Kind, Operand, Process, Quantifier, Statement, Test, Value};
use crate::lex::{Place, Scanned, SyntaxError, Token, scan};

/// Nesting beyond this is refused, so that no input exhausts the stack.
const DEPTH_MAX: usize = 64;
/// More operators in one expression or condition are refused, for the same reason.
const OPERATORS_MAX: usize = 200;

/// Parses a test.
pub fn parse(text: &str) -> Result<Test, SyntaxError> {
    let Scanned { name, tokens, comments } = scan(text)?;
    let mut parser = Parser { tokens, at: 0, depth: 0, operators: 0 };
    let mut registers = Vec::new();
    let initial = parser.initial(&mut registers)?;
    let mut processes = Vec::new();
    while parser.peek_word().is_some_and(|word| is_process(word, processes.len())) {
        processes.push(parser.process()?);
    }
    if processes.is_empty() {
        return Err(parser.expected("the first process, `P0(...)`"));
    }
    let filter = parser.filter_and_locations()?;
    let (quantifier, condition) = parser.final_condition()?;
    if parser.peek() != &Token::End {
        return Err(parser.expected("the end of the file"));
    }
    let result = result_of(&comments)?;
    Ok(Test { name, result, initial, registers, processes, filter, quantifier, condition })
}

/// What a comment says after `Result:`.
fn result_of(comments: &str) -> Result<Option<String>, SyntaxError> {
    let after = comments.split("Result:").nth(1);
    let Some(word) = after.and_then(|after| after.split_whitespace().next()) else {
        return Ok(None);
    };
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    // Of a test about which its author does not know, or that herd is to complain of.
    if ["Maybe", "Flag"].contains(&word) {
        return Ok(None);
    }
    let known = ["Never", "Sometimes", "Always", "DEADLOCK"];
    match known.into_iter().find(|known| known.eq_ignore_ascii_case(word)) {
        Some(known) => Ok(Some(known.into())),
        None => {
            let message = format!("`Result: {word}` is none of {}", known.join(", "));
            Err(SyntaxError::new(Place::default(), message))
        }
    }
}

fn is_process(word: &str, number: usize) -> bool {
    word == format!("P{number}")
}

/// What stands after `struct`. herd knows none of these.
fn structure((name, _): &(Token, Place)) -> Option<Kind> {
    let structures =
        [("mutex", Kind::Mutex), ("rw_semaphore", Kind::RwSem), ("completion", Kind::Completion)];
    let is_it = |(known, _): &(&str, Kind)| *name == Token::Word((*known).into());
    structures.into_iter().find(is_it).map(|(_, kind)| kind)
}

struct Parser {
    tokens: Vec<(Token, Place)>,
    at: usize,
    depth: usize,
    /// How many operators the expression or condition has.
    operators: usize,
}

type Parsed<T> = Result<T, SyntaxError>;

impl Parser {
    fn peek(&self) -> &Token {
        // The last token is the end, and is never passed.
        &self.tokens[self.at].0
    }

    fn peek_word(&self) -> Option<&str> {
        match self.peek() {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    fn place(&self) -> Place {
        self.tokens[self.at].1
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        if token != Token::End {
            self.at += 1;
        }
        token
    }

    fn expected(&self, what: &str) -> SyntaxError {
        let found = match self.peek() {
            Token::Word(word) => format!("`{word}`"),
            Token::Number(number) => number.to_string(),
            Token::Symbol(symbol) => format!("`{symbol}`"),
            Token::End => "the end of the file".into(),
        };
        SyntaxError::new(self.place(), format!("expected {what}, found {found}"))
    }

    fn accept(&mut self, symbol: &'static str) -> bool {
        let is_it = self.peek() == &Token::Symbol(symbol);
        self.at += usize::from(is_it);
        is_it
    }

    fn require(&mut self, symbol: &'static str) -> Parsed<()> {
        if self.accept(symbol) { Ok(()) } else { Err(self.expected(&format!("`{symbol}`"))) }
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let is_it = self.peek_word() == Some(word);
        self.at += usize::from(is_it);
        is_it
    }

    fn word(&mut self, what: &str) -> Parsed<String> {
        match self.peek_word() {
            Some(word) => {
                let word = word.to_string();
                self.at += 1;
                Ok(word)
            }
            None => Err(self.expected(what)),
        }
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Parser) -> Parsed<T>) -> Parsed<T> {
        if self.depth == DEPTH_MAX {
            let message = format!("nested more than {DEPTH_MAX} deep");
            return Err(SyntaxError::new(self.place(), message));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// Counts an operator of the expression or condition.
    fn operator(&mut self) -> Parsed<()> {
        self.operators += 1;
        if self.operators > OPERATORS_MAX {
            let message = format!("more than {OPERATORS_MAX} operators");
            return Err(SyntaxError::new(self.place(), message));
        }
        Ok(())
    }

    /// `0:` or `P0:`, before the name of a register.
    fn process_of_register(&mut self) -> Option<usize> {
        let number = match self.peek() {
            Token::Number(number) => usize::try_from(*number).unwrap_or(usize::MAX),
            Token::Word(word) => word.strip_prefix('P')?.parse().ok()?,
            _ => return None,
        };
        let has_colon = self.tokens.get(self.at + 1).map(|(token, _)| token);
        if has_colon != Some(&Token::Symbol(":")) {
            return None;
        }
        self.at += 2;
        Some(number)
    }

    /// `{ x=1; 0:r1=2; int 0:r2; int y = 2; int *p = &x; p=x; spinlock_t l; atomic_t a = ATOMIC_INIT(1); }`
    fn initial(
        &mut self,
        registers: &mut Vec<(usize, String, Value)>,
    ) -> Parsed<Vec<(String, Value)>> {
        let mut values = Vec::new();
        self.require("{")?;
        while !self.accept("}") {
            if self.accept(";") {
                continue;
            }
            self.skip_type();
            while self.accept("*") {}
            if let Some(process) = self.process_of_register() {
                let register = self.word("the name of a register")?;
                let is_given = self.accept("=");
                let value = if is_given { self.initial_value()? } else { Value::Number(0) };
                registers.push((process, register, value));
                continue;
            }
            let bracketed = self.accept("[");
            let name = self.word("the name of a location")?;
            if bracketed {
                self.require("]")?;
            } else if self.peek() == &Token::Symbol("[") {
                return Err(SyntaxError::unsupported(self.place(), "array"));
            }
            if self.accept("=") {
                values.push((name, self.initial_value()?));
            }
            if self.peek() != &Token::Symbol("}") {
                self.require(";")?;
            }
        }
        Ok(values)
    }

    fn initial_value(&mut self) -> Parsed<Value> {
        if self.accept_word("ATOMIC_INIT") {
            self.require("(")?;
            let value = self.initial_value()?;
            self.require(")")?;
            return Ok(value);
        }
        if self.accept("-") {
            return match self.next() {
                Token::Number(number) => Ok(Value::Number(-number)),
                _ => Err(self.expected("a number")),
            };
        }
        let is_address = self.accept("&");
        match self.peek().clone() {
            Token::Number(number) if !is_address => {
                self.at += 1;
                Ok(Value::Number(number))
            }
            Token::Word(name) => {
                self.at += 1;
                Ok(Value::Address(name))
            }
            _ => Err(self.expected("a number or the name of a location")),
        }
    }

    /// `int`, `unsigned long`, `spinlock_t`, `struct foo`: what it says of a location.
    fn skip_type(&mut self) -> Option<Kind> {
        let mut kind = None;
        while let Some(word) = self.peek_word() {
            kind = Some(match word {
                "atomic_t" | "atomic_long_t" => Kind::Atomic,
                "spinlock_t" => Kind::Spinlock,
                "raw_spinlock_t" => Kind::RawSpinlock,
                "rwlock_t" => Kind::RwLock,
                "seqcount_t" => Kind::SeqCount,
                "refcount_t" => Kind::RefCount,
                "struct" => match self.tokens.get(self.at + 1).and_then(structure) {
                    Some(kind) => {
                        self.at += 1;
                        kind
                    }
                    None => break,
                },
                "volatile" | "const" | "unsigned" | "signed" | "int" | "long" | "short"
                | "char" | "void" | "intptr_t" | "uintptr_t" | "u32" | "u64" | "s32" | "s64"
                | "bool" => Kind::Plain,
                _ => break,
            });
            self.at += 1;
        }
        kind
    }

    fn process(&mut self) -> Parsed<Process> {
        self.at += 1;
        self.require("(")?;
        let mut parameters = Vec::new();
        while !self.accept(")") {
            let place = self.place();
            let Some(kind) = self.skip_type() else {
                let mut construct = self.word("the type of a parameter")?;
                if construct == "struct" {
                    construct = format!("struct {}", self.word("the name of a structure")?);
                }
                return Err(SyntaxError::unsupported(place, &construct));
            };
            while self.accept("*") {}
            parameters.push((kind, self.word("the name of a parameter")?));
            if !self.accept(",") && self.peek() != &Token::Symbol(")") {
                return Err(self.expected("`,` or `)`"));
            }
        }
        Ok(Process { parameters, body: self.block()? })
    }

    fn block(&mut self) -> Parsed<Vec<Statement>> {
        self.require("{")?;
        let mut statements = Vec::new();
        while !self.accept("}") {
            statements.extend(self.deeper(Parser::statement)?);
        }
        Ok(statements)
    }

    fn statement(&mut self) -> Parsed<Vec<Statement>> {
        self.operators = 0;
        if self.accept(";") {
            return Ok(Vec::new());
        }
        if self.peek() == &Token::Symbol("{") {
            return self.block();
        }
        let place = self.place();
        if let Some(word @ ("while" | "for" | "do" | "goto" | "switch" | "return")) =
            self.peek_word()
        {
            return Err(SyntaxError::unsupported(place, word));
        }
        if self.accept_word("if") {
            self.require("(")?;
            let condition = self.expr()?;
            self.require(")")?;
            let then = self.deeper(Parser::statement)?;
            let otherwise =
                if self.accept_word("else") { self.deeper(Parser::statement)? } else { Vec::new() };
            return Ok(vec![Statement::If(condition, then, otherwise)]);
        }
        if self.skip_type().is_some() {
            return self.declaration();
        }
        let statement = self.assignment()?;
        self.require(";")?;
        Ok(vec![statement])
    }

    fn declaration(&mut self) -> Parsed<Vec<Statement>> {
        let mut declared = Vec::new();
        loop {
            while self.accept("*") {}
            let name = self.word("the name of a register")?;
            let value = if self.accept("=") { Some(self.expr()?) } else { None };
            declared.push(Statement::Declare(name, value));
            if !self.accept(",") {
                self.require(";")?;
                return Ok(declared);
            }
        }
    }

    fn assignment(&mut self) -> Parsed<Statement> {
        let place = self.place();
        let target = self.expr()?;
        if !self.accept("=") {
            return Ok(Statement::Evaluate(target));
        }
        let value = self.expr()?;
        match target {
            Expr::Name(name) => Ok(Statement::Set(name, value)),
            Expr::Load(pointer) => Ok(Statement::Store(*pointer, value)),
            _ => Err(SyntaxError::new(place, "expected a register or `*pointer` before `=`")),
        }
    }

    fn expr(&mut self) -> Parsed<Expr> {
        self.deeper(|parser| {
            let condition = parser.binary(0)?;
            if !parser.accept("?") {
                return Ok(condition);
            }
            let then = parser.expr()?;
            parser.require(":")?;
            let otherwise = parser.expr()?;
            Ok(Expr::Choice(Box::new(condition), Box::new(then), Box::new(otherwise)))
        })
    }

    /// Operators by how loosely they bind.
    const LEVELS: &[&[&'static str]] = &[
        &["||"],
        &["&&"],
        &["|"],
        &["^"],
        &["&"],
        &["==", "!="],
        &["<", ">", "<=", ">="],
        &["<<", ">>"],
        &["+", "-"],
        &["*", "/", "%"],
    ];

    fn binary(&mut self, level: usize) -> Parsed<Expr> {
        let Some(operators) = Self::LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        while let Some(&operator) = operators.iter().find(|o| self.peek() == &Token::Symbol(o)) {
            self.at += 1;
            self.operator()?;
            let right = self.binary(level + 1)?;
            left = Expr::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let place = self.place();
        let nested = |parser: &mut Parser| parser.deeper(Parser::unary).map(Box::new);
        match self.next() {
            Token::Symbol("!") => Ok(Expr::Not(nested(self)?)),
            Token::Symbol("-") => Ok(Expr::Negate(nested(self)?)),
            Token::Symbol("~") => Ok(Expr::Complement(nested(self)?)),
            Token::Symbol("*") => Ok(Expr::Load(nested(self)?)),
            // `&x` of a location is its address, which is what its name stands for.
            Token::Symbol("&") => Ok(*nested(self)?),
            Token::Symbol("(") if self.skip_type().is_some() => {
                while self.accept("*") {}
                self.require(")")?;
                Ok(*nested(self)?)
            }
            Token::Symbol("(") => {
                let inner = self.expr()?;
                self.require(")")?;
                Ok(inner)
            }
            Token::Number(number) => Ok(Expr::Number(number)),
            Token::Word(name) if self.accept("(") => Ok(Expr::Call(name, self.arguments()?, place)),
            Token::Word(name) => match self.peek() {
                Token::Symbol(symbol @ ("[" | "->" | ".")) => {
                    Err(SyntaxError::unsupported(self.place(), symbol))
                }
                _ => Ok(Expr::Name(name)),
            },
            _ => {
                self.at -=
                    usize::from(self.peek() != &Token::End || self.at + 1 == self.tokens.len());
                Err(SyntaxError::new(place, "expected an expression"))
            }
        }
    }

    fn arguments(&mut self) -> Parsed<Vec<Expr>> {
        let mut arguments = Vec::new();
        while !self.accept(")") {
            arguments.push(self.expr()?);
            if !self.accept(",") && self.peek() != &Token::Symbol(")") {
                return Err(self.expected("`,` or `)`"));
            }
        }
        Ok(arguments)
    }

    /// In either order, as often as they come; the last filter counts.
    fn filter_and_locations(&mut self) -> Parsed<Option<Condition>> {
        let mut filter = None;
        loop {
            if self.accept_word("filter") {
                filter = Some(self.condition(0)?);
            } else if self.accept_word("locations") {
                self.locations()?;
            } else {
                return Ok(filter);
            }
        }
    }

    fn locations(&mut self) -> Parsed<()> {
        self.require("[")?;
        while !self.accept("]") {
            if self.peek() == &Token::End {
                return Err(self.expected("`]`"));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn final_condition(&mut self) -> Parsed<(Quantifier, Condition)> {
        self.operators = 0;
        let quantifier = match self.peek() {
            Token::Symbol("~") => {
                self.at += 1;
                if !self.accept_word("exists") {
                    return Err(self.expected("`exists`"));
                }
                Quantifier::NotExists
            }
            Token::Word(word) if word == "exists" => {
                self.at += 1;
                Quantifier::Exists
            }
            Token::Word(word) if word == "forall" => {
                self.at += 1;
                Quantifier::Forall
            }
            // As herd has it: nothing is asked.
            Token::End => return Ok((Quantifier::Forall, Condition::True)),
            _ => return Err(self.expected("`exists`, `~exists` or `forall`")),
        };
        let condition = self.condition(0)?;
        self.accept(";");
        Ok((quantifier, condition))
    }

    fn condition(&mut self, level: usize) -> Parsed<Condition> {
        if level == 2 {
            return self.deeper(Parser::atom);
        }
        let symbol = ["\\/", "/\\"][level];
        let mut left = self.condition(level + 1)?;
        while self.accept(symbol) {
            self.operator()?;
            let right = Box::new(self.condition(level + 1)?);
            left = match level {
                0 => Condition::Or(Box::new(left), right),
                _ => Condition::And(Box::new(left), right),
            };
        }
        Ok(left)
    }

    fn atom(&mut self) -> Parsed<Condition> {
        if self.accept("~") || self.accept_word("not") {
            return Ok(Condition::Not(Box::new(self.deeper(Parser::atom)?)));
        }
        if self.accept("(") {
            let inner = self.condition(0)?;
            self.require(")")?;
            return Ok(inner);
        }
        if self.accept_word("true") {
            return Ok(Condition::True);
        }
        if self.accept_word("false") {
            return Ok(Condition::Not(Box::new(Condition::True)));
        }
        if let Some(process) = self.process_of_register() {
            let register = self.word("the name of a register")?;
            return self.compare(|operand| Condition::Register(process, register, operand));
        }
        let bracketed = self.accept("[");
        while self.accept("*") {}
        let location = self.word("a register (`1:r0`) or a location")?;
        if bracketed {
            self.require("]")?;
        }
        self.compare(|operand| Condition::Location(location, operand))
    }

    fn compare(&mut self, make: impl FnOnce(Operand) -> Condition) -> Parsed<Condition> {
        let is_negated = self.accept("!=");
        if !is_negated && !self.accept("==") {
            self.require("=")?;
        }
        let operand = match self.process_of_register() {
            Some(process) => Operand::Register(process, self.word("the name of a register")?),
            None => match self.initial_value()? {
                Value::Number(number) => Operand::Number(number),
                Value::Address(name) => Operand::Address(name),
            },
        };
        let condition = make(operand);
        Ok(if is_negated { Condition::Not(Box::new(condition)) } else { condition })
    }
}
