//! Nothing of its own: this package exists for its targets in `fuzz_targets/`.
