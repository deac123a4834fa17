//! What is going on in a chat: who is there and what was said, ready to be shown.

use crate::talk::{Line, tame};
use handfast_keys::PublicKey;
use std::collections::{BTreeMap, VecDeque};

/// How many lines are kept to scroll back to.
const LINES: usize = 5000;
/// How many people's names are remembered. Keys cost nothing, so a stranger may come as thousands.
const PEOPLE: usize = 1024;
/// How many characters of a message are shown; what is longer is no chat.
const LONGEST: usize = 4000;
/// How many characters of a name are shown.
const LONGEST_NAME: usize = 24;
/// How many characters of a key tell people of one name apart.
const ENOUGH_OF_A_KEY: usize = 6;

/// Something that happens in a chat. Its texts are those of others, as they came.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    /// Somebody said something.
    Said {
        who: PublicKey,
        name: String,
        what: What,
        /// When, in milliseconds since 1970, as the author says.
        at: u64,
        /// Whether it was said before we came.
        earlier: bool,
    },
    /// A node is our neighbour.
    Neighbour(PublicKey),
    /// A node is our neighbour no longer.
    NeighbourGone(PublicKey),
    /// Something about the chat itself.
    Notice(String),
}

/// What somebody says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// That they have come.
    Joined,
    /// That they go.
    Left,
    /// A text.
    Text(String),
}

/// The chat as this end sees it.
#[derive(Debug)]
pub(super) struct Room {
    me: PublicKey,
    names: BTreeMap<PublicKey, String>,
    neighbours: BTreeMap<PublicKey, ()>,
    lines: VecDeque<Line>,
}

impl Room {
    /// Nobody is there yet but us.
    pub(super) fn new(me: PublicKey, name: &str) -> Self {
        Self {
            me,
            names: BTreeMap::from([(me, tame(name, LONGEST_NAME))]),
            neighbours: BTreeMap::new(),
            lines: VecDeque::new(),
        }
    }

    /// Takes note of what has happened at the moment `now`. Returns the line that shows it, if anything does.
    pub(super) fn take(&mut self, happening: Happening, now: u64) -> Option<Line> {
        let told = |text: String| Line {
            at: now,
            who: None,
            own: false,
            text,
        };
        let line = match happening {
            Happening::Said {
                who,
                name,
                what,
                at,
                earlier,
            } => {
                self.call(who, &name);
                let text = match what {
                    What::Text(text) => tame(&text, LONGEST),
                    // Who came and went before us is not what we want to read.
                    _ if earlier => return None,
                    What::Joined => return self.keep(told(format!("{} joins", self.name_of(&who)))),
                    What::Left => return self.keep(told(format!("{} leaves", self.name_of(&who)))),
                };
                Line {
                    // Clocks differ, and an author may say any time.
                    at: at.min(now),
                    who: Some(self.name_of(&who)),
                    own: who == self.me,
                    text,
                }
            }
            Happening::Neighbour(who) => {
                self.neighbours.insert(who, ());
                told(format!("{} is a neighbour", self.name_of(&who)))
            }
            Happening::NeighbourGone(who) => {
                self.neighbours.remove(&who)?;
                told(format!("{} is no neighbour any more", self.name_of(&who)))
            }
            Happening::Notice(text) => told(tame(&text, LONGEST)),
        };
        self.keep(line)
    }

    /// What is to be shown, oldest first.
    pub(super) fn lines(&self) -> impl DoubleEndedIterator<Item = &Line> {
        self.lines.iter()
    }

    /// The neighbours, as they are called.
    pub(super) fn neighbours(&self) -> impl ExactSizeIterator<Item = String> {
        self.neighbours.keys().map(|who| self.name_of(who))
    }

    /// Puts a line where its time is. Returns it.
    fn keep(&mut self, line: Line) -> Option<Line> {
        let later = self.lines.iter().rev().take_while(|there| there.at > line.at).count();
        self.lines.insert(self.lines.len() - later, line.clone());
        if self.lines.len() > LINES {
            self.lines.pop_front();
        }
        Some(line)
    }

    fn call(&mut self, who: PublicKey, name: &str) {
        if who == self.me {
            return;
        }
        if self.names.len() >= PEOPLE && !self.names.contains_key(&who) {
            let strangers = self
                .names
                .keys()
                .filter(|&known| *known != self.me && !self.neighbours.contains_key(known));
            let first = strangers.copied().next();
            first.map(|first| self.names.remove(&first));
        }
        self.names.insert(who, tame(name, LONGEST_NAME));
    }

    /// What somebody is called: a name may be anybody's, so a piece of the key stands behind it.
    fn name_of(&self, who: &PublicKey) -> String {
        let key: String = who.to_base64().chars().take(ENOUGH_OF_A_KEY).collect();
        match self.names.get(who) {
            Some(name) if !name.is_empty() => format!("{name}·{key}"),
            _ => format!("·{key}"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use handfast_keys::KeyPair;

    pub(in super::super) fn key(name: u8) -> PublicKey {
        *KeyPair::from_seed(&[name; 32]).unwrap().public()
    }

    pub(in super::super) fn said(who: u8, name: &str, text: &str, at: u64) -> Happening {
        Happening::Said {
            who: key(who),
            name: name.into(),
            what: What::Text(text.into()),
            at,
            earlier: false,
        }
    }

    fn room() -> Room {
        Room::new(key(1), "anna")
    }

    #[test]
    fn what_others_write_is_shown_and_not_obeyed() {
        let mut room = room();
        let line = room
            .take(said(2, "be\u{1b}[31mn\n", "\u{1b}]0;pwned\u{7}\u{202e}hi\r", 5), 9)
            .unwrap();
        let shown = format!("{} {}", line.who.unwrap(), line.text);
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        assert!(!shown.contains('\u{202e}'), "{shown:?}");
        assert!(shown.contains("\\u{1b}]0;pwned"), "{shown:?}");
    }

    #[test]
    fn nobody_can_pass_for_somebody_else_by_a_name() {
        let mut room = room();
        let real = room.take(said(2, "ben", "me", 1), 9).unwrap();
        let fake = room.take(said(3, "ben", "no, me", 2), 9).unwrap();
        assert_ne!(real.who, fake.who);
        assert!(real.who.unwrap().starts_with("ben·"));
    }

    #[test]
    fn earlier_messages_are_put_where_their_time_is_and_no_time_lies_ahead() {
        let mut room = room();
        for (text, at) in [
            ("second", 20),
            ("first", 10),
            ("from the future", 1_000_000),
            ("third", 30),
        ] {
            room.take(said(2, "ben", text, at), 40);
        }
        let texts: Vec<&str> = room.lines().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["first", "second", "third", "from the future"]);
        assert_eq!(room.lines().last().unwrap().at, 40);
    }

    #[test]
    fn who_came_before_us_is_not_told_but_their_words_are() {
        let mut room = room();
        let happening = |what| Happening::Said {
            who: key(2),
            name: "ben".into(),
            what,
            at: 1,
            earlier: true,
        };
        assert_eq!(room.take(happening(What::Joined), 9), None);
        assert_eq!(
            room.take(happening(What::Text("kia ora".into())), 9).unwrap().text,
            "kia ora"
        );
    }

    #[test]
    fn neighbours_come_and_go_under_the_names_that_they_gave() {
        let mut room = room();
        room.take(Happening::Neighbour(key(2)), 1);
        assert!(room.neighbours().next().unwrap().starts_with('·'));
        room.take(said(2, "ben", "hi", 2), 2);
        assert!(room.neighbours().next().unwrap().starts_with("ben·"));
        let line = room.take(Happening::NeighbourGone(key(2)), 3).unwrap();
        assert!(line.text.ends_with("is no neighbour any more"), "{line:?}");
        assert_eq!(room.neighbours().len(), 0);
        assert_eq!(room.take(Happening::NeighbourGone(key(2)), 3), None);
    }

    #[test]
    fn endless_talk_and_countless_people_are_bounded() {
        let mut room = room();
        for number in 0..=u64::try_from(LINES).unwrap() {
            room.take(said(2, "ben", "blah", number), u64::MAX);
        }
        assert_eq!(room.lines().count(), LINES);
        assert_eq!(room.lines().next().unwrap().at, 1);
        let line = room
            .take(said(2, &"n".repeat(999), &"x".repeat(9999), 1), u64::MAX)
            .unwrap();
        assert!(line.text.chars().count() == LONGEST + 1 && line.text.ends_with('…'));
        assert!(line.who.unwrap().chars().count() < 40);
    }
}
