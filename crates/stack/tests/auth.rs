//! Who may come in and what they may do then (the original's tests `auth`, `auth2`, `app-key` and `seeds`).
#![allow(clippy::unwrap_used)]

mod common;

use common::{address, connected, greeter, keys, message, network, refuse, start};
use handfast_keys::{KeyPair, NetworkIdentifier, PublicKey};
use handfast_multiserver::Address;
use handfast_mux::Manifest;
use handfast_stack::{Basis, Event, Next, Rights, Stack};
use serde_json::json;

/// Lets `friend` call everything, turns `enemy` away, and leaves the others to what is beneath.
fn guarded(friend: PublicKey, enemy: PublicKey) -> Stack {
    Stack::new(network())
        .plugin(greeter())
        .hook("auth", move |next: Next, (key,): (PublicKey,)| async move {
            if key == enemy {
                return Err(refuse("go away"));
            }
            if key == friend {
                return Ok(Some(Rights::all()));
            }
            next.call((key,)).await
        })
}

#[tokio::test]
async fn a_hook_on_auth_grants_refuses_and_falls_through() {
    let (friend, enemy, stranger) = (keys(2), keys(3), keys(4));
    let alice = start(guarded(*friend.public(), *enemy.public()), 1).await;
    let mut events = alice.events();

    let bob = start(Stack::new(network()), 2).await;
    let peer = bob.connect(address(&alice)).await.unwrap();
    let secret: String = peer.call("greeter.secret", ()).await.unwrap();
    assert_eq!(secret, "nobody told you");
    assert_eq!(connected(&mut events).await.about().basis(), Basis::Auth);

    let eve = start(Stack::new(network()), 3).await;
    eve.connect(address(&alice)).await.unwrap_err();
    let reason = common::next(&mut events, |event| match event {
        Event::Refused { reason, .. } => Some(reason),
        _ => None,
    });
    assert!(reason.await.contains("go away"));

    let carol = start(Stack::new(network()), 4).await;
    let peer = carol.connect(address(&alice)).await.unwrap();
    let refused = peer.call::<String>("greeter.secret", ()).await.unwrap_err();
    assert_eq!(
        message(refused),
        "method:greeter,secret is not in list of allowed methods"
    );
    let _: Manifest = peer.call("manifest", ()).await.unwrap();
    assert_eq!(connected(&mut events).await.about().basis(), Basis::Anonymous);

    // The same, asked by the owner.
    assert_eq!(alice.auth(friend.public()).await.unwrap(), Some(Rights::all()));
    assert_eq!(alice.auth(stranger.public()).await.unwrap(), None);
    assert!(
        alice
            .auth(enemy.public())
            .await
            .unwrap_err()
            .to_string()
            .contains("go away")
    );
    assert_eq!((alice.stats().incoming, alice.stats().refused), (2, 1));
}

#[tokio::test]
async fn rights_that_auth_gives_replace_those_of_everybody() {
    let stack = Stack::new(network())
        .plugin(greeter())
        .hook("auth", |_next: Next, (_key,): (PublicKey,)| async {
            Ok(json!({ "allow": ["greeter"], "deny": ["greeter.who"] }))
        });
    let alice = start(stack, 1).await;
    let bob = start(Stack::new(network()), 2).await;
    let peer = bob.connect(address(&alice)).await.unwrap();
    let _: String = peer.call("greeter.secret", ()).await.unwrap();
    let denied = peer.call::<String>("greeter.who", ()).await.unwrap_err();
    assert_eq!(message(denied), "method:greeter,who is on list of disallowed methods");
    let gone = peer.call::<Manifest>("manifest", ()).await.unwrap_err();
    assert_eq!(message(gone), "method:manifest is not in list of allowed methods");
}

#[tokio::test]
async fn the_last_hook_on_auth_is_asked_first_and_hooks_may_be_added_later() {
    let (bob, alice) = (keys(2), start(guarded(*keys(3).public(), *keys(2).public()), 1).await);
    assert!(alice.auth(bob.public()).await.is_err());
    alice
        .hook("auth", |_next: Next, (_key,): (PublicKey,)| async {
            Ok(Some(Rights::all()))
        })
        .unwrap();
    assert_eq!(alice.auth(bob.public()).await.unwrap(), Some(Rights::all()));
}

#[tokio::test]
async fn whoever_is_dialled_has_the_rights_of_everybody_even_a_friend() {
    let alice = start(guarded(*keys(2).public(), *keys(3).public()), 1).await;
    let bob = start(Stack::new(network()), 2).await;
    let mut at_bob = bob.events();
    let to_bob = alice.connect(address(&bob)).await.unwrap();
    let back = connected(&mut at_bob).await;
    assert_eq!(to_bob.about().basis(), Basis::Anonymous);
    let refused = back.call::<String>("greeter.secret", ()).await.unwrap_err();
    assert_eq!(
        message(refused),
        "method:greeter,secret is not in list of allowed methods"
    );
}

#[tokio::test]
async fn whoever_does_not_know_the_network_stays_outside() {
    let alice = start(Stack::new(network()), 1).await;
    let other = Stack::new(NetworkIdentifier::from_bytes([8; 32]));
    let bob = start(other, 2).await;
    bob.connect(address(&alice)).await.unwrap_err();
    assert!(alice.peers().is_empty());
}

#[tokio::test]
async fn a_seed_in_an_address_is_another_identity_with_rights_of_its_own() {
    let seed = [9; 32];
    let guest = KeyPair::from_seed(&seed).unwrap();
    let alice = start(guarded(*guest.public(), *keys(3).public()), 1).await;
    let bob = start(Stack::new(network()), 2).await;

    let client = bob.create_client(guest.clone());
    assert_eq!(client.id(), guest.public());
    let peer = client.connect(address(&alice)).await.unwrap();
    let who: String = peer.call("greeter.who", ()).await.unwrap();
    assert_eq!(who, guest.public().to_string());
    let _: String = peer.call("greeter.secret", ()).await.unwrap();
    assert!(bob.peers().is_empty(), "a client's connection is its own affair");

    let mut events = alice.events();
    let invite: Address = format!("{}:{}", address(&alice), KeyPairSeed(seed)).parse().unwrap();
    let peer = bob.connect(invite).await.unwrap();
    let who: String = peer.call("greeter.who", ()).await.unwrap();
    assert_eq!(who, guest.public().to_string());
    let back = connected(&mut events).await;
    let nothing = back.call::<Manifest>("greeter.hello", ("x",)).await.unwrap_err();
    assert!(message(nothing).contains("not in list of allowed methods"));

    // Who it is by itself is not changed by who it was with the seed.
    let own = bob.connect(address(&alice)).await.unwrap();
    let who: String = own.call("greeter.who", ()).await.unwrap();
    assert_eq!(who, keys(2).public().to_string());
    assert_eq!(alice.peers().len(), 2 + 1, "the client, the guest, and bob");
}

struct KeyPairSeed([u8; 32]);

impl std::fmt::Display for KeyPairSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A network identifier prints 32 bytes in the same base64.
        NetworkIdentifier::from_bytes(self.0).fmt(f)
    }
}
