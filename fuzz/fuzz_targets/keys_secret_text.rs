#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_keys::check::secret_text(data));
