//! Runs Automerge where a panic or a deep stack of its own stops nothing else.

use std::{panic::AssertUnwindSafe, thread};

use super::TextError;

/// Stack of the thread that a text is worked on in.
pub const TEXT_STACK_BYTES: usize = 16 * 1024 * 1024;

/// Runs `work` in a thread of its own; a panic comes back as [`TextError::Panicked`].
pub(super) fn guarded<T: Send>(
    work: impl FnOnce() -> Result<T, TextError> + Send,
) -> Result<T, TextError> {
    thread::scope(|scope| {
        thread::Builder::new()
            .name("outrider-text".to_owned())
            .stack_size(TEXT_STACK_BYTES)
            .spawn_scoped(scope, || {
                // Whatever `work` was building is dropped with it: nobody sees it half done.
                std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(TextError::Panicked))
            })
            .map_err(|_| TextError::NoThread)?
            .join()
            .unwrap_or(Err(TextError::Panicked))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_contained() {
        let result = guarded::<()>(|| panic!("as Automerge does"));
        assert_eq!(result, Err(TextError::Panicked));
    }
}
