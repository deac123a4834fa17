//! The commands that speak SNaP2P.

use clap::{Args, Parser, Subcommand, ValueHint};
use handfast_snap2p::{
    Locator, Principal, Visibility,
    access::Invite,
    limits::{TOKEN_MAX, TOKEN_MIN},
    tokio::Target,
};
use std::{path::PathBuf, str::FromStr};

/// SNaP2P: sessions with people who prove who they are by a Stacks wallet.
///
/// Who somebody is, is the address of a wallet, written stacks:SP…, and a session proves it. Without -w a command comes as a new wallet that is forgotten
/// at the end; `snap wallet create NAME` makes one that lasts. Passwords are asked for in the terminal, or read from a file
/// descriptor, and never stand on a command line.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  handfast snap signin                                   choose or make an identity, in the terminal\n  \
    handfast snap listen 9000 --echo                       in one terminal\n  \
    handfast snap dial 127.0.0.1:9000 --message 'kia ora'  in another one"
)]
pub(crate) struct Snap {
    #[command(subcommand)]
    pub(crate) command: SnapCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SnapCommand {
    Wallet(SnapWallet),
    Signin(SnapSignin),
    Listen(SnapListen),
    Dial(SnapDial),
    Chat(SnapChat),
    Send(SnapSend),
    Receive(SnapReceive),
}

/// Where wallets are.
#[derive(Debug, Args)]
pub(crate) struct Wallets {
    /// The directory with the wallets [default: ~/.snap2p/wallets, as the reference has it]
    #[arg(long, value_name = "DIR", env = "HANDFAST_WALLETS", value_hint = ValueHint::DirPath)]
    pub(crate) wallets: Option<PathBuf>,
}

/// Where a password comes from.
#[derive(Debug, Args)]
pub(crate) struct PasswordFrom {
    /// Read the password from this file descriptor, one line; 0 is stdin [default: ask in the terminal]
    #[arg(long, value_name = "N")]
    pub(crate) password_fd: Option<u32>,
}

/// The wallet of a node, or of somebody who calls one.
#[derive(Debug, Args)]
#[command(next_help_heading = "Over SNaP2P (~snap2p)")]
pub(crate) struct Voucher {
    /// Let this saved wallet vouch for us where SNaP2P is spoken
    #[arg(short, long, value_name = "NAME")]
    pub(crate) wallet: Option<String>,

    #[command(flatten)]
    pub(crate) wallets: Wallets,

    #[command(flatten)]
    pub(crate) password: PasswordFrom,
}

/// Who we are.
#[derive(Debug, Args)]
#[command(next_help_heading = "Who you are, and with whom you have to do")]
pub(crate) struct Myself {
    /// Come as this saved wallet [default: a new one, which is forgotten at the end]
    #[arg(short, long, value_name = "NAME")]
    pub(crate) wallet: Option<String>,

    /// Which account of the wallet, from 0; the reference knows only the first
    #[arg(long, value_name = "INDEX", default_value = "0", requires = "wallet")]
    pub(crate) account: u32,

    /// Be on the testnet, where addresses begin with ST. The two networks never meet. A saved wallet has its network
    #[arg(long)]
    pub(crate) testnet: bool,

    #[command(flatten)]
    pub(crate) wallets: Wallets,

    #[command(flatten)]
    pub(crate) password: PasswordFrom,

    /// How much to show of ourselves: public, private, or stealth (nobody is answered who brings no invite)
    #[arg(long, value_name = "HOW", default_value = "private")]
    pub(crate) visibility: Visibility,

    /// Tell others that we want to be called so. Names are free and prove nothing; the wallet signs whose it is
    #[arg(long, value_name = "NAME")]
    pub(crate) alias: Option<String>,

    /// Have to do with this principal only. May be given several times [default: everybody who proves who they are]
    #[arg(long, value_name = "PRINCIPAL")]
    pub(crate) allow: Vec<Principal>,
}

/// Where to listen.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where to listen, and how others find it")]
pub(crate) struct At {
    /// The address of this machine to listen on; 0.0.0.0 or :: opens it to others
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    pub(crate) host: String,

    /// Make an invite and print it as `invite TEXT`: it tells the way here, who we are, and what opens a stealth node
    #[arg(long)]
    pub(crate) invite: bool,

    /// Where others reach us, to be told to them [default: where we listen]. May be given several times
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) reached_at: Vec<Locator>,

    /// Tell this public node where we are, so that others find us through it; only a public node does. May be given several times
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) announce: Vec<Locator>,

    /// For how many hours the invite is good
    #[arg(long, value_name = "HOURS", default_value = "24", requires = "invite", value_parser = clap::value_parser!(u32).range(1..=8760))]
    pub(crate) hours: u32,

    /// How often a stealth node lets in whoever brings the invite [default: as often as they like]
    #[arg(long, value_name = "N", requires = "invite", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) uses: Option<u32>,
}

impl At {
    /// Whether others are to find us.
    pub(crate) fn is_used(&self) -> bool {
        self.invite || !self.announce.is_empty()
    }
}

/// Who has to be there, and who knows where that is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Whom to reach")]
pub(crate) struct Whom {
    /// Break off unless this principal answers. Whoever dials a principal or an invite demands that anyhow
    #[arg(long, value_name = "PRINCIPAL")]
    pub(crate) expect: Option<Principal>,

    /// Ask this node where a principal is. May be given several times
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) via: Vec<Locator>,
}

/// Listen for sessions, and show what comes.
///
/// Prints `listening HOST:PORT PRINCIPAL` once it listens. Then each session, alias, stream and line of text is a line on stdout;
/// what peers say is escaped, so that it cannot steer the terminal. With --echo nothing more is printed, and every stream gets its
/// bytes back, and its end when the other side ends. Ctrl-C ends it.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  handfast snap listen 9000\n  handfast snap listen 9000 --echo\n  \
    handfast snap listen 9000 -w anna --allow stacks:SP…\n  \
    handfast snap listen 9000 --host 0.0.0.0 -w anna --visibility stealth --invite --reached-at anna.example:9000"
)]
pub(crate) struct SnapListen {
    /// The port; 0 takes a free one
    pub(crate) port: u16,

    /// Send everything back
    #[arg(long)]
    pub(crate) echo: bool,

    #[command(flatten)]
    pub(crate) at: At,

    #[command(flatten)]
    pub(crate) me: Myself,
}

/// Say something to somebody, and print the answer.
///
/// Opens a stream with the label `message`, and ends its own half behind the message. The answer is over when the other side ends
/// too, or when nothing more has come for a second: the reference never ends.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  handfast snap dial 127.0.0.1:9000\n  \
    handfast snap dial 192.0.2.7:9000 --expect stacks:SP… --message 'is it you?'\n  \
    handfast snap dial snap2p-invite:…\n  handfast snap dial stacks:SP… --via 192.0.2.7:9000 -w anna")]
pub(crate) struct SnapDial {
    /// Whom to dial
    #[arg(value_name = "HOST:PORT|PRINCIPAL|INVITE")]
    pub(crate) target: SnapTarget,

    /// What to say
    #[arg(short, long, value_name = "TEXT", default_value = "Hello from SNaP2P!")]
    pub(crate) message: String,

    /// For what the stream is, which the other side reads before anything else
    #[arg(long, value_name = "LABEL", default_value = "message")]
    pub(crate) label: String,

    /// How many seconds the answer may take
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) timeout: u32,

    /// What to show to a stealth node: an invite, or a token in hex
    #[arg(long, visible_alias = "token", value_name = "INVITE|HEX")]
    pub(crate) invite: Option<Key>,

    #[command(flatten)]
    pub(crate) whom: Whom,

    #[command(flatten)]
    pub(crate) me: Myself,
}

/// Chat with somebody, in the terminal.
///
/// One side listens and the other one dials. `quit` leaves. Where stdin and stdout are no terminal, each line of stdin is
/// said, and each line of the other side is a line of stdout, behind who says it; the end of stdin ends our half, and what the
/// other side still says is printed.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  handfast snap chat --listen 9000\n  handfast snap chat 127.0.0.1:9000\n  \
    handfast snap chat --listen 9000 -w anna --allow stacks:SP…\n  handfast snap chat snap2p-invite:… -w ben"
)]
pub(crate) struct SnapChat {
    /// Whom to dial
    #[arg(value_name = "HOST:PORT|PRINCIPAL|INVITE", conflicts_with = "listen")]
    pub(crate) target: Option<SnapTarget>,

    /// Wait on this port for somebody who dials; 0 takes a free one
    #[arg(long, value_name = "PORT", conflicts_with_all = ["expect", "via"])]
    pub(crate) listen: Option<u16>,

    #[command(flatten)]
    pub(crate) at: At,

    /// When dialling, what to show to a stealth node: an invite, or a token in hex
    #[arg(long, value_name = "INVITE|HEX", conflicts_with = "listen")]
    pub(crate) token: Option<Key>,

    #[command(flatten)]
    pub(crate) whom: Whom,

    #[command(flatten)]
    pub(crate) me: Myself,
}

/// Send a file to somebody who runs `snap receive`.
///
/// What is sent is checked by SHA-256 at the other end. A transfer that broke goes on where it was when the same file is sent
/// again.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  handfast snap send holiday.tar 192.0.2.7:9000\n  \
    handfast snap send holiday.tar 192.0.2.7:9000 --expect stacks:SP… -w anna\n  handfast snap send holiday.tar snap2p-invite:…")]
pub(crate) struct SnapSend {
    /// The file
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// Whom to dial
    #[arg(value_name = "HOST:PORT|PRINCIPAL|INVITE")]
    pub(crate) target: SnapTarget,

    /// What to show to a stealth node: an invite, or a token in hex
    #[arg(long, visible_alias = "token", value_name = "INVITE|HEX")]
    pub(crate) invite: Option<Key>,

    #[command(flatten)]
    pub(crate) whom: Whom,

    #[command(flatten)]
    pub(crate) me: Myself,
}

/// Receive files.
///
/// Prints `listening HOST:PORT PRINCIPAL`, and `received FILE` for each file that is there and whole. Before a file is taken you are
/// asked in the terminal, unless its sender is named by --allow, or --yes takes everything. While it comes it is called
/// NAME.CHECKSUM.part, and that is kept when the transfer breaks; the sender goes on from there. A file that is
/// there is never overwritten without --force.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  handfast snap receive 9000\n  handfast snap receive 9000 --into ~/Downloads --allow stacks:SP…\n  \
    handfast snap receive 9000 --host 0.0.0.0 -w ben --invite --uses 1 --once"
)]
pub(crate) struct SnapReceive {
    /// The port; 0 takes a free one
    #[arg(default_value = "0")]
    pub(crate) port: u16,

    /// Where to put files
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) into: PathBuf,

    /// Take files from whoever is let in, unasked
    #[arg(long)]
    pub(crate) yes: bool,

    /// Overwrite files that are there
    #[arg(long)]
    pub(crate) force: bool,

    /// End when one file has come
    #[arg(long)]
    pub(crate) once: bool,

    /// The longest file to take, in bytes
    #[arg(long, value_name = "BYTES", default_value = "1099511627776")]
    pub(crate) max_size: u64,

    #[command(flatten)]
    pub(crate) at: At,

    #[command(flatten)]
    pub(crate) me: Myself,
}

/// Choose, create, restore or unlock an identity, in the terminal.
///
/// Afterwards the wallet's name and principal are printed, and other commands come as it with -w NAME.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  handfast snap signin && handfast snap chat --listen 9000 -w anna")]
pub(crate) struct SnapSignin {
    /// Make new wallets for the testnet
    #[arg(long)]
    pub(crate) testnet: bool,

    #[command(flatten)]
    pub(crate) wallets: Wallets,
}

/// Keep wallets: create, restore, list, show, delete, export.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  handfast snap wallet create anna\n  handfast snap wallet list\n  \
    handfast snap wallet show anna --seed"
)]
pub(crate) struct SnapWallet {
    #[command(subcommand)]
    pub(crate) command: WalletCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WalletCommand {
    Create(WalletCreate),
    Restore(WalletRestore),
    List(WalletList),
    Show(WalletShow),
    Delete(WalletDelete),
    Export(WalletExport),
}

/// Create a wallet.
///
/// Prints its name and principal, and shows its 24 words once, in the terminal: whoever has them has the identity, and without
/// them it is lost with this file. The file is encrypted with the password, in the reference's format.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  handfast snap wallet create anna\n  \
    handfast snap wallet create robot --testnet --password-fd 3 3< password")]
pub(crate) struct WalletCreate {
    /// What to call it here
    pub(crate) name: String,

    /// Make it for the testnet
    #[arg(long)]
    pub(crate) testnet: bool,

    /// Print the 24 words to stdout, also where there is no terminal
    #[arg(long)]
    pub(crate) seed: bool,

    #[command(flatten)]
    pub(crate) wallets: Wallets,

    #[command(flatten)]
    pub(crate) password: PasswordFrom,
}

/// Restore a wallet from its 24 or 12 words.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  handfast snap wallet restore anna\n  \
    handfast snap wallet restore anna --seed-fd 3 --password-fd 4 3< words 4< password")]
pub(crate) struct WalletRestore {
    /// What to call it here
    pub(crate) name: String,

    /// Make it for the testnet
    #[arg(long)]
    pub(crate) testnet: bool,

    /// Read the words from this file descriptor, one line; 0 is stdin, where they stand before the password [default: ask in the
    /// terminal]
    #[arg(long, value_name = "N")]
    pub(crate) seed_fd: Option<u32>,

    #[command(flatten)]
    pub(crate) wallets: Wallets,

    #[command(flatten)]
    pub(crate) password: PasswordFrom,
}

/// List the wallets.
#[derive(Debug, Parser)]
pub(crate) struct WalletList {
    #[command(flatten)]
    pub(crate) wallets: Wallets,

    #[command(flatten)]
    pub(crate) json: super::Json,
}

/// Unlock a wallet, check it, and show its principals.
///
/// The file says which address it is of, and nothing protects that; here it is compared with what the words lead to.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  handfast snap wallet show anna\n  handfast snap wallet show anna --accounts 3\n  \
    handfast snap wallet show anna --seed"
)]
pub(crate) struct WalletShow {
    /// Its name, or its id
    pub(crate) name: String,

    /// Show the 24 words, too: whoever reads them has the identity
    #[arg(long)]
    pub(crate) seed: bool,

    /// How many accounts to show
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) accounts: u32,

    #[command(flatten)]
    pub(crate) wallets: Wallets,

    #[command(flatten)]
    pub(crate) password: PasswordFrom,
}

/// Delete a wallet. Only its words bring it back.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  handfast snap wallet delete anna\n  handfast snap wallet delete robot --yes")]
pub(crate) struct WalletDelete {
    /// Its name, or its id
    pub(crate) name: String,

    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) wallets: Wallets,
}

/// Write a wallet's file, as encrypted as it is, to stdout or into a file.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  handfast snap wallet export anna --out anna.wallet.json")]
pub(crate) struct WalletExport {
    /// Its name, or its id
    pub(crate) name: String,

    /// The file to write; never replaces one
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) wallets: Wallets,
}

/// Whom to dial: a place, a principal, both, or an invite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SnapTarget(pub(crate) Target);

impl FromStr for SnapTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(principal) = format!("stacks:{text}").parse::<Principal>() {
            return Err(format!("an address stands behind stacks:, so write {principal}"));
        }
        text.parse().map(Self).map_err(|error| format!("{error}"))
    }
}

/// What opens a stealth node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// All of an invite: who is there, and the token.
    Invite(Box<Invite>),
    Token(Token),
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.starts_with("snap2p-invite:") {
            true => text
                .parse()
                .map(|invite| Self::Invite(Box::new(invite)))
                .map_err(|error| format!("{error}")),
            false => text.parse().map(Self::Token),
        }
    }
}

/// An invite token, masked in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(pub(crate) Vec<u8>);

impl FromStr for Token {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pairs = text.as_bytes().chunks(2);
        let bytes: Option<Vec<u8>> = pairs
            .map(|pair| {
                let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
                u8::try_from(digit(0)? * 16 + digit(1)?).ok()
            })
            .collect();
        bytes
            .filter(|bytes| (TOKEN_MIN..=TOKEN_MAX).contains(&bytes.len()))
            .map(Self)
            .ok_or_else(|| "a token is 16 to 32 bytes in hex, 32 to 64 digits".into())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_place_or_a_principal_and_mistakes_are_explained() {
        let target = |text: &str| text.parse::<SnapTarget>();
        let place: Locator = "[::1]:9000".parse().unwrap();
        assert_eq!(target("[::1]:9000"), Ok(SnapTarget(place.clone().into())));
        assert_eq!(target("tcp://[::1]:9000"), Ok(SnapTarget(place.into())));
        let principal = "stacks:SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ7";
        assert_eq!(
            target(principal),
            Ok(SnapTarget(principal.parse::<Principal>().unwrap().into()))
        );
        assert!(target(&principal[7..]).unwrap_err().contains(principal));
        for text in ["9000", "quic://127.0.0.1:9000", "127.0.0.1:0"] {
            assert!(target(text).unwrap_err().contains("no place to dial"), "{text}");
        }
        assert!(target("stacks:nonsense").unwrap_err().contains("no Stacks principal"));
    }

    #[test]
    fn a_token_is_hex_of_the_right_length_and_does_not_show() {
        let token: Token = "00ff".repeat(8).parse().unwrap();
        assert_eq!(token.0, [0, 255].repeat(8));
        assert_eq!(format!("{token:?}"), "Token(..)");
        for text in [
            "",
            "00",
            &"0".repeat(33),
            &"0".repeat(66),
            &"+f".repeat(16),
            &"é".repeat(16),
        ] {
            assert!(text.parse::<Token>().is_err(), "{text}");
        }
    }
}
