//! Mnemonics, accounts and wallet files as the reference makes them.
#![cfg(feature = "wallet")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use handfast_snap2p::{
    Network,
    wallet::{Mnemonic, Wallet},
};
use serde_json::Value;
use testkit::unhex_array;

fn vectors() -> Value {
    let all: Value = serde_json::from_str(include_str!("vectors/snap2p.json")).unwrap();
    all["wallet"].clone()
}

#[test]
fn accounts_are_those_of_the_reference() {
    let vectors = vectors();
    for (mnemonic, accounts) in [
        (&vectors["mnemonic"], &vectors["accounts"]),
        (
            &vectors["second_mnemonic"]["mnemonic"],
            &vectors["second_mnemonic"]["accounts"],
        ),
    ] {
        let mnemonic = Mnemonic::parse(mnemonic.as_str().unwrap()).unwrap();
        for (network, name) in [(Network::Mainnet, "mainnet"), (Network::Testnet, "testnet")] {
            let wallet = Wallet::new(mnemonic.clone(), network);
            for (index, wanted) in (0..).zip(accounts.as_array().unwrap()) {
                let account = wallet.account(index).unwrap();
                assert_eq!(
                    account.principal().address().to_string(),
                    wanted[name].as_str().unwrap()
                );
                assert_eq!(
                    account.key().public(),
                    unhex_array(wanted["public_key"].as_str().unwrap())
                );
                assert_eq!(account.index(), index);
            }
        }
    }
    let wallet = Wallet::ephemeral(Network::Testnet).unwrap();
    assert!(wallet.account(u32::MAX >> 1).is_ok());
    assert!(wallet.account(1 << 31).is_err());
}
