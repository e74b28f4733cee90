//! What a component exports: the generated functions, with one function behind the three exports
//! that return a plan.
//!
//! Each generated export lifts what is observed and lowers a plan on its own, and these are the
//! largest functions at the boundary. Their parameters are the same, and a plan is the first field
//! of a plan with rotations. So the canonical ABI puts the result of `reconcile` and of `attend`
//! where the beginning of the result of `reconcile-rotating` is, and a host that asked for the first
//! reads no further. The modules here have the paths of the generated ones, so that the generated
//! macro finds either.

#![allow(unsafe_code, reason = "the canonical ABI passes raw pointers")]
#![allow(missing_docs, reason = "the generated macro is the only user")]
#![allow(unreachable_pub, reason = "the macro is used in other crates")]

use std::cell::Cell;

thread_local! {
    /// Whether the call that began is `attend`. A component has one thread.
    static ATTENDS: Cell<bool> = const { Cell::new(false) };
}

/// Whether the call that began is `attend`. The next one is not, unless it says so.
pub(crate) fn takes_attend() -> bool {
    ATTENDS.take()
}

pub mod exports {
    pub mod orascache {
        pub mod operator {
            use crate::bindings::exports::orascache::operator as generated;
            pub use generated::{admission, rotating_reconciler, types};
            use rotating_reconciler::{
                __post_return_reconcile_rotating as free_plan, _export_reconcile_rotating_cabi as plan,
            };

            pub mod reconciler {
                pub use super::generated::reconciler::*;
                use super::rotating_reconciler::Guest as Plans;

                pub unsafe fn _export_reconcile_cabi<T: Plans>(observed: *mut u8) -> *mut u8 {
                    // SAFETY: the caller passes what it got from the host.
                    unsafe { super::plan::<T>(observed) }
                }

                pub unsafe fn __post_return_reconcile<T: Plans>(result: *mut u8) {
                    // SAFETY: the host hands back what `_export_reconcile_cabi` returned.
                    unsafe { super::free_plan::<T>(result) }
                }
            }

            pub mod attendant {
                pub use super::generated::attendant::*;
                use super::rotating_reconciler::Guest as Plans;

                pub unsafe fn _export_attend_cabi<T: Plans>(observed: *mut u8) -> *mut u8 {
                    crate::exported::ATTENDS.set(true);
                    // SAFETY: the caller passes what it got from the host.
                    unsafe { super::plan::<T>(observed) }
                }

                pub unsafe fn __post_return_attend<T: Plans>(result: *mut u8) {
                    // SAFETY: the host hands back what `_export_attend_cabi` returned.
                    unsafe { super::free_plan::<T>(result) }
                }
            }
        }
    }
}
