//! What is refused before anything is run: calls that are not supported, and names that are not
//! known.

use std::collections::BTreeSet;

use crate::ast::{Expr, Statement, for_each_expr};
use crate::functions;
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
            let message = format!("`{name}` is neither a register that is set nor a parameter");
            Err(SyntaxError::new(Place::default(), message))
        }
        Expr::Call(name, arguments, place) => {
            let count = arguments.len();
            let Some(primitive) = primitives::find(name) else {
                return Err(SyntaxError::unsupported(*place, name));
            };
            let wanted = primitive.meaning.arguments();
            if wanted != count {
                let message = format!("{name}() has {wanted} arguments, found {count}");
                return Err(SyntaxError::new(*place, message));
            }
            if functions::is_one(name) && !matches!(arguments[..], [Expr::Number(_)]) {
                let message = format!("{name}() takes the number of the process that it is of");
                return Err(SyntaxError::new(*place, message));
            }
            arguments.iter().try_for_each(|argument| check_expr(argument, names))
        }
        _ => expr.parts().into_iter().try_for_each(|part| check_expr(part, names)),
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

/// Does a statement call one of these?
pub(crate) fn calls(block: &[Statement], is_one: fn(&str) -> bool) -> bool {
    let mut is_called = false;
    for_each_expr(block, &mut |expr| is_called |= expr_calls(expr, is_one));
    is_called
}

fn expr_calls(expr: &Expr, is_one: fn(&str) -> bool) -> bool {
    let is_it = matches!(expr, Expr::Call(called, ..) if is_one(called));
    is_it || expr.parts().into_iter().any(|part| expr_calls(part, is_one))
}
