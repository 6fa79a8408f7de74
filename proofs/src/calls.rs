//! What tasks of a scenario do, as data: calls of kernel functions. A scenario that is made of
//! nothing else is written once, and runs on the models or on the kernel's own C.
//!
//! [`crate::functions`] is the table of what can be called.

use selvedge_models::{BufferHead, Folio};

use crate::Run;

/// An argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arg {
    /// The folio of this index.
    Folio(usize),
    /// The buffer head of this index.
    Bh(usize),
    /// The task that is this one of the sleepers.
    Sleeper(usize),
}

/// A function of the kernel's, or a small one of ours around some.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// The kernel's name of it.
    pub name: &'static str,
    /// Its model; `None` if there is none, so that it runs on C only.
    pub model: Option<Model>,
    /// On C: looks at what it has returned, and calls `fail` if that breaks a rule.
    pub judge: fn(i64),
}

/// A model of a function: what it returns is C's `int`; for `void` 0.
pub type Model = fn(&Run, &[Arg]) -> i64;

/// When the calls that follow another are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum If {
    /// If it has returned 0: success, of what returns an error.
    Zero,
    /// If it has returned anything else: success, of what returns a bool.
    True,
}

/// A call of a function.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Which.
    pub function: Function,
    /// With what.
    pub args: &'static [Arg],
    /// What follows, and when.
    pub then: (If, &'static [Call]),
}

/// A call.
pub const fn call(function: Function, args: &'static [Arg]) -> Call {
    Call { function, args, then: (If::Zero, &[]) }
}

impl Call {
    /// If it returns 0, these follow.
    pub const fn if_zero(self, calls: &'static [Call]) -> Call {
        Call { then: (If::Zero, calls), ..self }
    }

    /// If it returns anything else, these follow.
    pub const fn if_true(self, calls: &'static [Call]) -> Call {
        Call { then: (If::True, calls), ..self }
    }

    /// Do these follow a call that has returned this?
    pub fn is_followed(&self, returned: i64) -> bool {
        match self.then.0 {
            If::Zero => returned == 0,
            If::True => returned != 0,
        }
    }

    /// Makes the call, and what follows it, on the models.
    ///
    /// # Panics
    /// If there is no model of the function.
    pub fn on_models(&self, run: &Run) {
        let name = self.function.name;
        let model = self.function.model.unwrap_or_else(|| panic!("{name}() runs on C only"));
        if self.is_followed(model(run, self.args)) {
            self.then.1.iter().for_each(|call| call.on_models(run));
        }
    }

    /// The functions that it calls, and those that follow.
    pub fn functions(&self) -> Vec<Function> {
        let following = self.then.1.iter().flat_map(Call::functions);
        std::iter::once(self.function).chain(following).collect()
    }
}

/// The folio that the first argument is.
pub(crate) fn folio<'k>(run: &'k Run, args: &[Arg]) -> &'k Folio {
    let Some(Arg::Folio(index)) = args.first() else { panic!("a folio is expected: {args:?}") };
    &run.folios[*index]
}

/// The buffer head that the first argument is.
pub(crate) fn bh<'k>(run: &'k Run, args: &[Arg]) -> &'k BufferHead {
    let Some(Arg::Bh(index)) = args.first() else { panic!("a bh is expected: {args:?}") };
    &run.buffer_heads[*index]
}
