//! Decisions: the named places in which trees differ, declared once for each kernel file.
//!
//! `decisions!` makes the struct of a file out of its fields; a function for each, so that a model
//! asks `k.tree.swap.lru_claim()`, and [it is known](crate::Asked) that it has asked; a
//! [`Change`](crate::Change) that sets one of them to a value, for commits; and the list of all
//! with their values, for `selvedge diff`. [`set!`](crate::set) writes a change. The kernel files
//! themselves are named in src/tree.rs.

/// A decision or a function that trees may differ in, and how one tree has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// The kernel's file: `mm/swap.c`.
    pub file: &'static str,
    /// The function, or what is decided: `lru_cache_disable`, `lru_claim`.
    pub name: &'static str,
    /// Which function, or which way: `AtDrain`.
    pub value: String,
}

/// The decisions of one kernel file. A field is a value that can be copied, compared and printed
/// with `{:?}`: an enum whose variants say which commit made them, a number, or a [`crate::Func`].
macro_rules! decisions {
    (
        $(#[$doc:meta])*
        pub struct $File:ident of $path:literal, set by $Change:ident {
            $( $(#[$about:meta])* $name:ident: $Value:ty, )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $File {
            $( $(#[$about])* pub $name: $Value, )*
        }

        #[doc = concat!("One decision of ", $path, ", and its value.")]
        #[allow(non_camel_case_types, reason = "a variant is named as the decision it sets")]
        #[derive(Clone, Copy, Debug)]
        pub enum $Change {
            $( $(#[$about])* $name($Value), )*
        }

        impl $File {
            /// The same, but for this decision.
            pub(crate) const fn with(mut self, change: $Change) -> $File {
                match change {
                    $( $Change::$name(value) => self.$name = value, )*
                }
                self
            }

            /// Its number among the files that have decisions.
            pub(crate) const PLACE: usize = $crate::asked::place($path);

            /// Was this decision of the list asked for?
            pub(crate) fn is_asked(asked: &$crate::Asked, decision: usize) -> bool {
                asked.has($File::PLACE, decision)
            }

            /// All decisions, in the order in which they are declared.
            pub(crate) fn list(&self) -> Vec<$crate::Decision> {
                let one = |name, value| $crate::Decision { file: $path, name, value };
                vec![$( one(stringify!($name), format!("{:?}", self.$name)), )*]
            }
        }

        const _: () = {
            #[allow(non_camel_case_types, reason = "a variant is named as its decision")]
            #[allow(clippy::upper_case_acronyms, reason = "likewise")]
            enum Place {
                $( $name, )*
            }

            #[allow(clippy::type_complexity, reason = "the type of the field")]
            impl $File {
                $(
                    $(#[$about])*
                    #[inline]
                    pub fn $name(&self) -> $Value {
                        $crate::asked::note($File::PLACE, Place::$name as usize);
                        self.$name
                    }
                )*
            }
        };
    };
}

/// The kernel, made of its files: the struct, with a field for each; [`Change`](crate::Change),
/// with a variant for each; and the module in which [`set!`](crate::set) finds a file's changes.
macro_rules! kernel_files {
    (
        $(#[$doc:meta])*
        pub struct $Tree:ident {
            $( $(#[$about:meta])* pub $field:ident: $Type:ty, )*
        }
        files {
            $( $(#[$file_about:meta])* $file:ident: $File:ty, set by $FileChange:ty; )*
        }
        alone {
            $( $(#[$alone_about:meta])* $alone:ident: $Alone:ty, in $alone_path:literal; )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $Tree {
            $( $(#[$about])* pub $field: $Type, )*
            $( $(#[$file_about])* pub $file: $File, )*
            $( $(#[$alone_about])* pub $alone: $Alone, )*
        }

        /// One decision set to one value: what commits are made of. Written with
        /// [`set!`](crate::set).
        #[allow(non_camel_case_types, reason = "a variant is named as the file it is about")]
        #[derive(Clone, Copy, Debug)]
        pub enum Change {
            $( $(#[$file_about])* $file($FileChange), )*
            $( $(#[$alone_about])* $alone($Alone), )*
        }

        #[doc(hidden)]
        #[allow(non_camel_case_types, reason = "for set!, which knows the name of the field only")]
        pub mod changes {
            use super::*;

            $( pub type $file = $FileChange; )*
        }

        impl $Tree {
            /// The same tree, but for these decisions.
            pub const fn with(mut self, changes: &[Change]) -> $Tree {
                let mut at = 0;
                while at < changes.len() {
                    match changes[at] {
                        $( Change::$file(change) => self.$file = self.$file.with(change), )*
                        $( Change::$alone(value) => self.$alone = value, )*
                    }
                    at += 1;
                }
                self
            }

            /// Does the other tree answer as this one to everything that was asked?
            pub fn answers_as(&self, other: &$Tree, asked: &$crate::Asked) -> bool {
                let mut differ = Vec::new();
                $(
                    let both = self.$file.list().into_iter().zip(other.$file.list());
                    let both = both.enumerate().filter(|(_, (mine, other))| mine != other);
                    differ.extend(both.map(|(at, _)| <$File>::is_asked(asked, at)));
                )*
                $(
                    let value = |tree: &$Tree| format!("{:?}", tree.$alone);
                    differ.extend((value(self) != value(other)).then_some(true));
                )*
                differ.into_iter().all(|is_asked| !is_asked)
            }

            /// The decisions of all files, in a fixed order.
            fn decisions_of_files(&self) -> Vec<Decision> {
                let mut all = Vec::new();
                $( all.extend(self.$file.list()); )*
                $( all.push(Decision {
                    file: $alone_path,
                    name: stringify!($alone),
                    value: format!("{:?}", self.$alone),
                }); )*
                all
            }
        }
    };
}

/// A change: `set!(swap.lru_claim = LruClaim::AtDrain)`, or `set!(mlock = Mlock::Batches)` of a
/// file that has one decision.
#[macro_export]
macro_rules! set {
    ($file:ident . $name:ident = $value:expr) => {
        $crate::Change::$file($crate::changes::$file::$name($value))
    };
    ($name:ident = $value:expr) => {
        $crate::Change::$name($value)
    };
}
