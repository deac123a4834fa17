//! Laws that hold for every input; fuzz targets and property tests call them.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used)]

use crate::{Address, Alternative, Endpoint, Layer};
use arbitrary::{Arbitrary, Unstructured};
use handfast_keys::SecretKey;

/// Whatever is read as an address is printed in a form that is read as the same address, and that is its only form; seeds
/// are printed by the one method that says so.
pub fn address(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let address: Address = match text.parse() {
        Ok(address) => address,
        Err(error) => return assert!(!error.to_string().chars().any(char::is_control)),
    };
    assert!(!address.alternatives().is_empty());
    let secret = address.to_string_with_seed();
    let again: Address = secret.parse().expect("what was printed is read again");
    assert_eq!(again, address, "printed {:?}", *secret);
    assert_eq!(*again.to_string_with_seed(), *secret, "the form is not canonical");

    // What was kept without being understood may be understood without its seed, so the public form is no law there.
    let public = address.to_string();
    let without: Address = public.parse().expect("so is the public form");
    assert!(without.seed().is_none());
    if address
        .alternatives()
        .iter()
        .all(|one| !matches!(one.endpoint, Endpoint::Other(_)))
    {
        assert_eq!(without, address.without_seed());
    }
    assert_eq!(address.without_seed().to_string(), public);
    assert_eq!(*address.without_seed().to_string_with_seed(), public);
    address.alternatives().iter().for_each(never_shown);
}

/// Texts for the log are the same whatever the seed is.
fn never_shown(alternative: &Alternative) {
    let other = SecretKey::from_seed([0x55; 32]);
    let with_other = |layer: &Layer| match (layer.seed(), layer.shs_key()) {
        (Some(_), Some(key)) => Layer::shs_with_seed(&key, &other),
        _ => layer.clone(),
    };
    let same = Alternative {
        endpoint: alternative.endpoint.clone(),
        transforms: alternative.transforms.iter().map(with_other).collect(),
    };
    let shown = |one: &Alternative| format!("{one} {one:?} {:?}", one.transforms);
    let canonical = !matches!(alternative.endpoint, Endpoint::Other(_));
    assert!(!canonical || shown(&same) == shown(alternative));
}

/// Layers of any text survive being printed, alone and as an address.
pub fn layer(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok((name, parts)) = <(String, Vec<String>)>::arbitrary(&mut input) else {
        return;
    };
    let Ok(layer) = Layer::new(&name, parts) else { return };
    assert!(
        layer
            .name()
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    );
    let alternative = Alternative {
        endpoint: Endpoint::Other(layer.clone()),
        transforms: Vec::new(),
    };
    let printed = alternative.to_string_with_seed();
    assert_eq!(printed.parse::<Layer>().expect("what was printed is read again"), layer);
    assert_eq!(
        layer.to_string().parse::<Layer>().expect("so is the public part"),
        layer.without_seed()
    );
}
