//! The target `tokens` for libFuzzer; its body is in the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| outrider_core_fuzz::tokens::run(data));
