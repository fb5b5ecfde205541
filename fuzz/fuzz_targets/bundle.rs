#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| stockrelay_fuzz::bundle::check(input));
