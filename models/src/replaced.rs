//! Functions that only trees of yours have otherwise. `selvedge new NAME --base TREE --from PATCH`
//! adds a line here for each function that the patch changes and that the models call directly, and
//! lets the function itself look here first. In the repository there are none.

/// Declares what may be replaced: `"mm/swap.c", folio_activate: fn(&Kernel, &Folio);`.
macro_rules! replaced {
    ($($path:literal, $name:ident: $Type:ty;)*) => {
        /// What a tree has in place of functions that all others share.
        #[allow(non_snake_case, reason = "a field is named as the function")]
        #[allow(private_interfaces, reason = "types that the models keep to themselves")]
        #[derive(Clone, Copy, Debug)]
        pub struct Replaced {
            $(
                #[doc = concat!("`", stringify!($name), "()` of ", $path)]
                pub $name: Option<$crate::Func<$Type>>,
            )*
        }

        /// One function, and what a tree has in its place.
        #[allow(non_camel_case_types, reason = "a variant is named as the function")]
        #[allow(private_interfaces, reason = "types that the models keep to themselves")]
        #[derive(Clone, Copy, Debug)]
        pub enum ReplacedChange {
            $(
                #[doc = concat!("`", stringify!($name), "()` of ", $path)]
                $name($crate::Func<$Type>),
            )*
        }

        impl Replaced {
            /// Everything is as the models have it.
            pub(crate) const NOTHING: Replaced = Replaced { $($name: None,)* };

            /// The same, but for this function.
            #[allow(unused_mut, reason = "where there is nothing to replace")]
            pub(crate) const fn with(mut self, change: ReplacedChange) -> Replaced {
                match change {
                    $( ReplacedChange::$name(function) => self.$name = Some(function), )*
                }
                #[allow(unreachable_code, reason = "where there is nothing to replace")]
                self
            }

            /// Functions look for what is in their place without a note: it is taken for asked for.
            pub(crate) fn is_asked(_: &$crate::Asked, _: usize) -> bool {
                true
            }

            /// All that may be replaced, and by what it is.
            pub(crate) fn list(&self) -> Vec<$crate::Decision> {
                vec![$( $crate::Decision {
                    file: $path,
                    name: concat!(stringify!($name), "()"),
                    value: match self.$name {
                        Some(function) => format!("{function:?}"),
                        None => "as modelled".into(),
                    },
                }, )*]
            }
        }
    };
}

replaced! {}
