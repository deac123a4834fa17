#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_multiserver::check::layer(data));
