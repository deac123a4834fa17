//! `handfast init` and `handfast id`.

use crate::{exit::Failure, home::Home, out};
use handfast_keys::{KeyPair, secret_file};

/// Creates an identity, and prints its public id.
pub(crate) fn init(home: &Home) -> Result<(), Failure> {
    home.create()?;
    let identity = KeyPair::generate().map_err(Failure::local)?;
    secret_file::create(home.secret(), &identity).map_err(Failure::local)?;
    out::line(format_args!("{}", identity.public())).map_err(Failure::local)?;
    out::tell!(
        "The secret half is in {}. Keep a copy in a safe place.",
        home.secret().display()
    );
    Ok(())
}

/// Prints the public id.
pub(crate) fn print(home: &Home) -> Result<(), Failure> {
    out::line(format_args!("{}", home.identity()?.public())).map_err(Failure::local)
}
