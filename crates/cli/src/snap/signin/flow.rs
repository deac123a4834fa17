//! The steps of signing in, without a terminal and without a disk: keys go in, and the next screen or some work comes out.
//!
//! ```text
//!            ┌────────── choose ──────────┬───────────┐
//!            v              v             v           v
//!          unlock        show seed     restore      delete
//!            │              └──> name <──┘            │
//!            │                    │                   v
//!            │                password              sure?
//!            │                    │                   │
//!            │                  again                 │
//!            v                    v                   v
//!          ready  <───────────  ready              choose
//! ```
//! Esc goes one step back everywhere.

use crate::talk::Input;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use handfast_snap2p::wallet::{Mnemonic, PASSWORD_MIN};
use zeroize::Zeroizing;

/// The most characters of a name: more makes lists hard to read.
const NAME_MAX: usize = 64;

/// A wallet that is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) address: String,
}

/// Who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) name: String,
    pub(super) principal: String,
    /// What else is to be known.
    pub(super) note: Option<String>,
}

/// What takes a while, or the disk.
#[derive(Debug)]
pub(super) enum Work {
    Unlock {
        who: Saved,
        password: Zeroizing<String>,
    },
    Save {
        mnemonic: Mnemonic,
        name: String,
        password: Zeroizing<String>,
    },
    Delete(Saved),
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Done {
    /// The wallet is open.
    Open(Ready),
    /// These wallets are left.
    Deleted(Vec<Saved>),
}

/// What follows from a key.
#[derive(Debug)]
pub(super) enum Reaction {
    Stay,
    Leave,
    Work(Work),
}

/// What can be chosen at the beginning, beneath the saved wallets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Create,
    Restore,
    Delete,
}

/// What is on the screen.
#[derive(Debug)]
pub(super) enum Screen {
    /// Whom to be.
    Choose { at: usize },
    /// Whom to delete.
    Delete { at: usize },
    /// Whether to delete.
    Sure { who: Saved, at: usize },
    /// The password of a saved wallet.
    Unlock { who: Saved, input: Input },
    /// The words of a new wallet, once.
    Seed { mnemonic: Mnemonic, at: usize },
    /// The words of an old wallet.
    Restore { input: Input },
    /// What to call it.
    Name { of: Origin, input: Input },
    /// A new password.
    Password { of: Origin, name: String, input: Input },
    /// The same again.
    Again {
        of: Origin,
        name: String,
        password: Zeroizing<String>,
        input: Input,
    },
    /// Something is done; afterwards, if it fails, the other screen is shown again.
    Busy { what: &'static str, back: Box<Screen> },
    /// Signed in.
    Ready(Ready),
}

/// Where a wallet that is being made comes from.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) mnemonic: Mnemonic,
    /// Whether its words were typed and not made here.
    pub(super) restored: bool,
}

/// Signing in, at some step.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) saved: Vec<Saved>,
    pub(super) screen: Screen,
    /// What went wrong, with the remedy.
    pub(super) trouble: Option<String>,
}

impl Flow {
    pub(super) fn new(saved: Vec<Saved>) -> Self {
        Self {
            saved,
            screen: Screen::Choose { at: 0 },
            trouble: None,
        }
    }

    /// What can be chosen beneath the saved wallets.
    pub(super) fn choices(&self) -> &'static [Choice] {
        match self.saved.is_empty() {
            true => &[Choice::Create, Choice::Restore],
            false => &[Choice::Create, Choice::Restore, Choice::Delete],
        }
    }

    /// Reacts to what is typed.
    pub(super) fn react(&mut self, event: &Event) -> Reaction {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(key),
            Event::Paste(text) => {
                if let Some(input) = self.input() {
                    input.paste(text);
                }
                Reaction::Stay
            }
            _ => Reaction::Stay,
        }
    }

    /// What came of the work.
    pub(super) fn done(&mut self, result: Result<Done, String>) {
        match result {
            Ok(Done::Open(ready)) => self.screen = Screen::Ready(ready),
            Ok(Done::Deleted(saved)) => {
                self.saved = saved;
                self.screen = Screen::Choose { at: 0 };
            }
            Err(trouble) => {
                if let Screen::Busy { back, .. } = self.leave_screen() {
                    self.screen = *back;
                }
                self.trouble = Some(trouble);
            }
        }
    }

    fn input(&mut self) -> Option<&mut Input> {
        match &mut self.screen {
            Screen::Unlock { input, .. }
            | Screen::Restore { input }
            | Screen::Name { input, .. }
            | Screen::Password { input, .. }
            | Screen::Again { input, .. } => Some(input),
            _ => None,
        }
    }

    /// The list's mark, and how many entries the list has.
    fn mark(&mut self) -> Option<(&mut usize, usize)> {
        let saved = self.saved.len();
        let choices = self.choices().len();
        match &mut self.screen {
            Screen::Choose { at } => Some((at, saved + choices)),
            Screen::Delete { at } => Some((at, saved + 1)),
            Screen::Sure { at, .. } | Screen::Seed { at, .. } => Some((at, 2)),
            _ => None,
        }
    }

    fn leave_screen(&mut self) -> Screen {
        std::mem::replace(&mut self.screen, Screen::Choose { at: 0 })
    }

    fn key(&mut self, key: &KeyEvent) -> Reaction {
        if let KeyCode::Char('c') = key.code
            && key.modifiers.contains(KeyModifiers::CONTROL)
        {
            return Reaction::Leave;
        }
        // What is being done is not undone by a key.
        if let Screen::Busy { .. } = self.screen {
            return Reaction::Stay;
        }
        match key.code {
            KeyCode::Esc => return self.back(),
            KeyCode::Enter => {
                self.trouble = None;
                return self.enter();
            }
            _ => {}
        }
        if let Some((at, entries)) = self.mark() {
            match key.code {
                KeyCode::Up | KeyCode::Char('k') => *at = (*at + entries - 1) % entries,
                KeyCode::Down | KeyCode::Tab | KeyCode::Char('j') => *at = (*at + 1) % entries,
                KeyCode::Home => *at = 0,
                KeyCode::End => *at = entries - 1,
                _ => {}
            }
        } else if let Some(input) = self.input() {
            input.key(key);
            self.trouble = None;
        }
        Reaction::Stay
    }

    fn back(&mut self) -> Reaction {
        self.trouble = None;
        let name = |of: Origin| Screen::Name {
            of,
            input: Input::default(),
        };
        self.screen = match self.leave_screen() {
            Screen::Choose { .. } => return Reaction::Leave,
            ready @ Screen::Ready(_) => {
                self.screen = ready;
                return Reaction::Leave;
            }
            Screen::Sure { .. } => Screen::Delete { at: 0 },
            Screen::Name { of, .. } if of.restored => restore(),
            Screen::Name { of, .. } => Screen::Seed {
                mnemonic: of.mnemonic,
                at: 0,
            },
            Screen::Password { of, .. } => name(of),
            Screen::Again { of, name, .. } => password(of, name),
            Screen::Delete { .. }
            | Screen::Unlock { .. }
            | Screen::Seed { .. }
            | Screen::Restore { .. }
            | Screen::Busy { .. } => Screen::Choose { at: 0 },
        };
        Reaction::Stay
    }

    fn enter(&mut self) -> Reaction {
        let choices = self.choices();
        let (screen, reaction) = match self.leave_screen() {
            Screen::Choose { at } => match (self.saved.get(at), choices.get(at.saturating_sub(self.saved.len()))) {
                (Some(who), _) => (unlock(who.clone()), Reaction::Stay),
                (None, Some(Choice::Restore)) => (restore(), Reaction::Stay),
                (None, Some(Choice::Delete)) => (Screen::Delete { at: 0 }, Reaction::Stay),
                (None, Some(Choice::Create) | None) => match Mnemonic::create() {
                    Ok(mnemonic) => (Screen::Seed { mnemonic, at: 0 }, Reaction::Stay),
                    Err(error) => {
                        self.trouble = Some(error.to_string());
                        (Screen::Choose { at }, Reaction::Stay)
                    }
                },
            },
            Screen::Delete { at } => match self.saved.get(at) {
                // Nothing is deleted by pressing Enter once too often.
                Some(who) => (
                    Screen::Sure {
                        who: who.clone(),
                        at: 0,
                    },
                    Reaction::Stay,
                ),
                None => (Screen::Choose { at: 0 }, Reaction::Stay),
            },
            Screen::Sure { who, at: 1 } => busy("deleting …", Screen::Choose { at: 0 }, Work::Delete(who)),
            Screen::Sure { .. } => (Screen::Delete { at: 0 }, Reaction::Stay),
            Screen::Unlock { who, mut input } => {
                let password = input.take();
                busy("unlocking …", unlock(who.clone()), Work::Unlock { who, password })
            }
            Screen::Seed { mnemonic, at: 0 } => {
                let of = Origin {
                    mnemonic,
                    restored: false,
                };
                (named(of), Reaction::Stay)
            }
            Screen::Seed { .. } => (Screen::Choose { at: 0 }, Reaction::Stay),
            Screen::Restore { mut input } => match Mnemonic::parse(&input.take()) {
                Ok(mnemonic) => {
                    let of = Origin {
                        mnemonic,
                        restored: true,
                    };
                    (named(of), Reaction::Stay)
                }
                Err(error) => {
                    self.trouble = Some(error.to_string());
                    (restore(), Reaction::Stay)
                }
            },
            Screen::Name { of, mut input } => {
                let name = input.take().trim().to_owned();
                let wrong = match name.chars().count() {
                    0 => Some("a name is wanted, such as anna".to_owned()),
                    length if length > NAME_MAX => {
                        Some(format!("{length} characters are too many; {NAME_MAX} are enough"))
                    }
                    _ if self.saved.iter().any(|saved| saved.name == name) => {
                        Some(format!("there is a wallet {name} already; choose another name"))
                    }
                    _ => None,
                };
                self.trouble = wrong;
                match self.trouble {
                    None => (password(of, name), Reaction::Stay),
                    Some(_) => (named(of), Reaction::Stay),
                }
            }
            Screen::Password { of, name, mut input } => {
                let typed = input.take();
                match typed.chars().count() {
                    length if length < PASSWORD_MIN => {
                        self.trouble = Some(format!(
                            "that has {length} characters, and at least {PASSWORD_MIN} are wanted; a few words make a good one"
                        ));
                        (password(of, name), Reaction::Stay)
                    }
                    _ => (
                        Screen::Again {
                            of,
                            name,
                            password: typed,
                            input: Input::secret(),
                        },
                        Reaction::Stay,
                    ),
                }
            }
            Screen::Again {
                of,
                name,
                password: first,
                mut input,
            } => match *input.take() == *first {
                true => {
                    let work = Work::Save {
                        mnemonic: of.mnemonic.clone(),
                        name,
                        password: first,
                    };
                    busy("encrypting …", named(of), work)
                }
                false => {
                    self.trouble = Some("the two passwords differ; type a new one twice".into());
                    (password(of, name), Reaction::Stay)
                }
            },
            busy @ Screen::Busy { .. } => (busy, Reaction::Stay),
            ready @ Screen::Ready(_) => (ready, Reaction::Leave),
        };
        self.screen = screen;
        reaction
    }
}

fn busy(what: &'static str, back: Screen, work: Work) -> (Screen, Reaction) {
    let back = Box::new(back);
    (Screen::Busy { what, back }, Reaction::Work(work))
}

fn unlock(who: Saved) -> Screen {
    Screen::Unlock {
        who,
        input: Input::secret(),
    }
}

fn restore() -> Screen {
    Screen::Restore { input: Input::secret() }
}

fn named(of: Origin) -> Screen {
    Screen::Name {
        of,
        input: Input::default(),
    }
}

fn password(of: Origin, name: String) -> Screen {
    Screen::Password {
        of,
        name,
        input: Input::secret(),
    }
}
