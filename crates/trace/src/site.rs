//! Where in the kernel's text a step stands: function, primitive, object. Steps of different
//! executions, tasks and CPUs can have one site.

use std::fmt;

use crate::{Bit, Event, Name, Paths};

/// A place in the text, or several: what is not given may be anything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Site {
    /// The innermost function.
    pub function: Option<&'static str>,
    /// The primitive, as the kernel spells it.
    pub primitive: &'static str,
    /// What it is done to: the name of the bit (`PG_lru`) or of the object (`folio->flags`),
    /// without CPU and index.
    pub object: Option<&'static str>,
    /// Which of the steps of one call of the function that have all of the above, from 0.
    pub nth: Option<u32>,
}

impl Site {
    /// All steps of this primitive.
    pub const fn of(primitive: &'static str) -> Site {
        Site { function: None, primitive, object: None, nth: None }
    }

    /// Those in this function.
    pub const fn within(self, function: &'static str) -> Site {
        Site { function: Some(function), ..self }
    }

    /// Those on this object, or this bit.
    pub const fn on(self, object: &'static str) -> Site {
        Site { object: Some(object), ..self }
    }

    /// One of those of a call, from 0.
    pub const fn nth(self, nth: u32) -> Site {
        Site { nth: Some(nth), ..self }
    }

    /// The site of an event, without its number in the call.
    pub fn of_event(event: &Event, paths: &Paths) -> Site {
        let object = event.bit.map_or(event.name.text, |bit| bit.name);
        Site {
            function: paths.innermost(event.path),
            primitive: event.primitive,
            object: (!object.is_empty()).then_some(object),
            nth: None,
        }
    }

    /// Is a step of this primitive, on this object and perhaps bit, in this function, there? Its
    /// number in the call is for the caller to count.
    pub fn has(
        &self,
        function: Option<&str>,
        primitive: &str,
        name: Name,
        bit: Option<Bit>,
    ) -> bool {
        let is_on = |object| name.text == object || bit.is_some_and(|bit| bit.name == object);
        self.primitive == primitive
            && self.function.is_none_or(|wanted| function == Some(wanted))
            && self.object.is_none_or(is_on)
    }
}

/// `set_bit(PG_lru) in folio_batch_move_lru() (1)`
impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.primitive, self.object.unwrap_or_default())?;
        if let Some(function) = self.function {
            write!(f, " in {function}()")?;
        }
        match self.nth {
            Some(nth) => write!(f, " ({nth})"),
            None => Ok(()),
        }
    }
}
