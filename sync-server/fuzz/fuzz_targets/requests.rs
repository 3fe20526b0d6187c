//! The target `requests` for libFuzzer; its body is in the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| outrider_sync_server_fuzz::requests::run(data));
