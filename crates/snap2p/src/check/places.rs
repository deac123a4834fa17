//! Laws of places to dial, and of what PX-1 says of them.

use crate::{
    Address, Fault, Locator, Principal,
    px1::{LOCATORS_MAX, MESSAGE_MAX, Message, Push, Request, Response},
};
use arbitrary::{Result, Unstructured};
use std::time::Duration;

/// A text that is a locator is shown as a text that is the same one, and that is shown as itself; what is wrong with another is
/// told in a few harmless words.
pub fn locator(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.parse::<Locator>() {
        Ok(locator) => {
            survives(&locator);
            assert_eq!(text.to_ascii_lowercase().parse::<Locator>().unwrap(), locator);
        }
        Err(error) => {
            let shown = error.to_string();
            assert!(shown.len() < 600, "{shown}");
            assert!(!shown.chars().any(char::is_control), "{shown:?}");
        }
    }
    // A host and a port that make a locator make the same one as their text.
    let (host, port) = text.rsplit_once(' ').unwrap_or((text, "9000"));
    if let Ok(port) = port.parse()
        && let Ok(locator) = Locator::new(host, port)
    {
        survives(&locator);
        assert_eq!(locator.port(), port);
    }
}

fn survives(locator: &Locator) {
    let shown = locator.to_string();
    let again: Locator = shown.parse().unwrap();
    assert_eq!(&again, locator);
    assert_eq!(again.to_string(), shown);
    assert_eq!(&Locator::new(locator.host(), locator.port()).unwrap(), locator);
    let host = locator.host();
    assert!(!host.is_empty() && !host.ends_with('.') && !host.bytes().any(|byte| byte.is_ascii_uppercase()));
}

/// Whatever is read as a message of PX-1 is written so that it is read as the same, and so is any message; a byte too many or
/// too few is refused.
pub fn px1(data: &[u8]) {
    match Message::decode(data) {
        Ok(message) => {
            assert!(places(&message).len() <= LOCATORS_MAX);
            comes_back(&message);
        }
        Err(Fault::TooLong { max, .. }) => assert!(data.len() > max && max == MESSAGE_MAX),
        Err(Fault::UnknownType(kind)) => assert!(kind == 0 || kind > 3),
        Err(fault) => assert!(matches!(fault, Fault::Malformed(_)), "{fault}"),
    }
    if let Ok(message) = any_message(&mut Unstructured::new(data)) {
        comes_back(&message);
    }
}

fn comes_back(message: &Message) {
    let bytes = message.encode();
    assert!(bytes.len() <= MESSAGE_MAX, "what we write is taken");
    assert_eq!(&Message::decode(&bytes).unwrap(), message);
    for cut in 0..bytes.len() {
        assert!(Message::decode(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    assert!(Message::decode(&[&bytes[..], &[0]].concat()).is_err());
}

fn places(message: &Message) -> &[Locator] {
    match message {
        Message::Request(_) => &[],
        Message::Response(response) => &response.locators,
        Message::Push(push) => &push.locators,
    }
}

fn any_message(u: &mut Unstructured) -> Result<Message> {
    let principal = Principal(Address::new(u.int_in_range(0..=31)?, u.arbitrary()?).unwrap());
    Ok(match u.int_in_range(0..=2)? {
        0 => Message::Request(Request {
            principal,
            max_results: u.arbitrary()?,
        }),
        1 => Message::Response(Response {
            locators: any_places(u)?,
        }),
        _ => Message::Push(Push {
            principal,
            locators: any_places(u)?,
            ttl: Duration::from_secs(u.arbitrary()?),
        }),
    })
}

/// Names of all lengths and addresses, each place once.
fn any_places(u: &mut Unstructured) -> Result<Vec<Locator>> {
    let mut places = Vec::new();
    for _ in 0..u.int_in_range(0..=LOCATORS_MAX)? {
        let host = match u.int_in_range(0..=2)? {
            0 => std::net::IpAddr::from(u.arbitrary::<[u8; 4]>()?).to_string(),
            1 => std::net::IpAddr::from(u.arbitrary::<[u8; 16]>()?).to_string(),
            _ => "a".repeat(u.int_in_range(1..=253)?),
        };
        let place = Locator::new(&host, u.int_in_range(1..=u16::MAX)?).unwrap();
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Ok(places)
}
