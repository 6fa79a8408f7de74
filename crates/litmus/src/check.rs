//! What is refused before anything is run: calls that are not supported, and names that are not
//! known.

use std::collections::BTreeSet;

use crate::ast::{Expr, Statement};
use crate::lex::{Place, SyntaxError};
use crate::primitives;

/// Names that registers and parameters have; unsupported calls are refused.
pub(crate) fn check_block(
    block: &[Statement],
    names: &mut BTreeSet<String>,
) -> Result<(), SyntaxError> {
    for statement in block {
        match statement {
            Statement::Declare(name, value) => {
                value.iter().try_for_each(|value| check_expr(value, names))?;
                names.insert(name.clone());
            }
            Statement::Set(name, value) => {
                check_expr(value, names)?;
                names.insert(name.clone());
            }
            Statement::Store(pointer, value) => {
                check_expr(pointer, names)?;
                check_expr(value, names)?;
            }
            Statement::Evaluate(expr) => check_expr(expr, names)?,
            Statement::If(condition, then, otherwise) => {
                check_expr(condition, names)?;
                check_block(then, names)?;
                check_block(otherwise, names)?;
            }
        }
    }
    Ok(())
}

fn check_expr(expr: &Expr, names: &BTreeSet<String>) -> Result<(), SyntaxError> {
    match expr {
        Expr::Number(_) => Ok(()),
        Expr::Name(name) if names.contains(name) => Ok(()),
        Expr::Name(name) => {
            let message = format!("`{name}` is neither a register nor a parameter");
            Err(SyntaxError::new(Place::default(), message))
        }
        Expr::Load(inner) | Expr::Not(inner) | Expr::Negate(inner) => check_expr(inner, names),
        Expr::Binary(_, a, b) => check_expr(a, names).and_then(|()| check_expr(b, names)),
        Expr::Call(name, arguments, place) => {
            let count = arguments.len();
            let Some((meaning, _)) = primitives::find(name) else {
                return Err(SyntaxError::unsupported(*place, name));
            };
            let wanted = meaning.arguments();
            if wanted != count {
                let message = format!("{name}() has {wanted} arguments, found {count}");
                return Err(SyntaxError::new(*place, message));
            }
            arguments.iter().try_for_each(|argument| check_expr(argument, names))
        }
    }
}

/// Does a statement declare or set the register?
pub(crate) fn sets(block: &[Statement], register: &str) -> bool {
    block.iter().any(|statement| match statement {
        Statement::Declare(name, _) | Statement::Set(name, _) => name == register,
        Statement::Store(..) | Statement::Evaluate(_) => false,
        Statement::If(_, then, otherwise) => sets(then, register) || sets(otherwise, register),
    })
}

/// Does a statement call it?
pub(crate) fn calls(block: &[Statement], name: &str) -> bool {
    block.iter().any(|statement| match statement {
        Statement::Declare(_, value) => value.as_ref().is_some_and(|v| expr_calls(v, name)),
        Statement::Set(_, value) | Statement::Evaluate(value) => expr_calls(value, name),
        Statement::Store(pointer, value) => expr_calls(pointer, name) || expr_calls(value, name),
        Statement::If(condition, then, otherwise) => {
            expr_calls(condition, name) || calls(then, name) || calls(otherwise, name)
        }
    })
}

fn expr_calls(expr: &Expr, name: &str) -> bool {
    match expr {
        Expr::Number(_) | Expr::Name(_) => false,
        Expr::Load(inner) | Expr::Not(inner) | Expr::Negate(inner) => expr_calls(inner, name),
        Expr::Binary(_, a, b) => expr_calls(a, name) || expr_calls(b, name),
        Expr::Call(called, arguments, _) => {
            called == name || arguments.iter().any(|argument| expr_calls(argument, name))
        }
    }
}
