//! A trait as an API: one declaration for those who serve it and those who call it.

use std::fmt;
use std::marker::PhantomData;

use handfast_mux::tokio::Outgoing;
use handfast_mux::{Error, RemoteError};
use serde::Serialize;

/// Declares an API once: a trait for whoever serves it, and a typed client for whoever calls it.
///
/// The methods are written like those of a trait, with what they answer. The word before `fn` is the kind:
///
/// | declared | the trait's method returns | the client's method returns |
/// |---|---|---|
/// | `fn a(&self, n: u8) -> R;` | `Result<R, RemoteError>` | [`Calling<R>`](handfast_mux::tokio::Calling): await it |
/// | `async fn a(&self, n: u8) -> R;` | the same, async | the same |
/// | `source fn a(&self, n: u8) -> Items<T>;` | [`Items<T>`](handfast_mux::tokio::Items) | [`Opening<Source<T>>`](handfast_mux::tokio::Opening): await it, then read |
/// | `sink fn a(&self, items: Incoming<T>, n: u8);` | `Result<(), RemoteError>`, async | a [`Sender<T>`](crate::Sender), async |
/// | `duplex fn a(&self, items: Incoming<I>, n: u8) -> Items<T>;` | `Items<T>` | `(Sender<I>, Source<T>)`, async |
///
/// Each method of the trait takes a [`Context`](handfast_mux::tokio::Context) after `&self`, which knows the caller; those of
/// the client do not, nor do they take the items. Arguments travel by position as JSON, so they implement `Serialize` and
/// `Deserialize`; an `Option` at the end may be left out by other callers. Names are camel-cased on the way: `whats_new` is
/// called `whatsNew`. What the trait's methods fail with is the client's
/// [`Error::Remote`](handfast_mux::Error::Remote).
///
/// The trait is an [`async_trait`](macro@crate::async_trait), and so are its implementations. It has a method that makes a
/// [`Router`](handfast_mux::tokio::Router) of them: `Arc::new(server).into_router()`. The client is made of a peer and the name
/// of the plugin that serves there, `""` for one without a name: `Client::new(&peer, "guestBook")`.
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use futures_util::{StreamExt, TryStreamExt, stream};
/// use handfast_mux::RemoteError;
/// use handfast_mux::tokio::{Context, Incoming, Items, Router, connection};
/// use handfast_stack::{api, async_trait};
///
/// api! {
///     /// A book in which guests write.
///     pub trait GuestBook {
///         /// How many lines there are.
///         fn length(&self) -> usize;
///         /// Writes a line; answers how many there are then.
///         async fn write(&self, line: String) -> usize;
///         /// The lines from one on, the first one being 0.
///         source fn lines_from(&self, first: usize) -> Items<String>;
///         /// Writes many lines.
///         sink fn append(&self, lines: Incoming<String>);
///         /// Answers each word, louder.
///         duplex fn talk(&self, words: Incoming<String>, mark: char) -> Items<String>;
///     }
///
///     /// A guest book somewhere else.
///     pub struct GuestBookClient;
/// }
///
/// #[derive(Default)]
/// struct Book {
///     lines: Mutex<Vec<String>>,
/// }
///
/// #[async_trait]
/// impl GuestBook for Book {
///     fn length(&self, _cx: Context) -> Result<usize, RemoteError> {
///         Ok(self.lines.lock().unwrap().len())
///     }
///
///     async fn write(&self, cx: Context, line: String) -> Result<usize, RemoteError> {
///         if line.is_empty() {
///             return Err("a line has at least one letter".into());
///         }
///         self.lines.lock().unwrap().push(line);
///         self.length(cx)
///     }
///
///     fn lines_from(&self, _cx: Context, first: usize) -> Items<String> {
///         let lines: Vec<_> = self.lines.lock().unwrap().iter().skip(first).cloned().map(Ok).collect();
///         stream::iter(lines).boxed()
///     }
///
///     async fn append(&self, cx: Context, mut lines: Incoming<String>) -> Result<(), RemoteError> {
///         while let Some(line) = lines.try_next().await? {
///             self.write(cx.clone(), line).await?;
///         }
///         Ok(())
///     }
///
///     fn talk(&self, _cx: Context, words: Incoming<String>, mark: char) -> Items<String> {
///         words.map_ok(move |word| format!("{word}{mark}")).boxed()
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), handfast_mux::Error> {
/// // A plugin's `init` returns the router; here it is served over a connection as it is.
/// let (here, there) = tokio::io::duplex(4096);
/// let (_, driver) = connection(there, Arc::new(Book::default()).into_router());
/// tokio::spawn(driver);
/// let (peer, driver) = connection(here, Router::new());
/// tokio::spawn(driver);
///
/// let book = GuestBookClient::new(&peer, "");
/// assert_eq!(book.write("kia ora".into()).await?, 1);
/// let mut lines = book.append().await?;
/// lines.send("haere mai".into()).await?;
/// lines.close().await?;
/// let lines: Vec<String> = book.lines_from(1).await?.try_collect().await?;
/// assert_eq!(lines, ["haere mai"]);
/// # let (mut words, mut louder) = book.talk('!').await?;
/// # words.send("ka pai".into()).await?;
/// # assert_eq!(louder.try_next().await?.as_deref(), Some("ka pai!"));
/// # assert_eq!(book.length().await?, 2);
/// # Ok(()) }
/// ```
#[macro_export]
macro_rules! api {
    // The declaration.
    (
        $(#[$trait_meta:meta])*
        $trait_vis:vis trait $Trait:ident {
            $(
                $(#[$meta:meta])*
                $($word:ident)+ (&self $(, $arg:ident : $ty:ty)* $(,)?) $(-> $ret:ty)?;
            )*
        }

        $(#[$client_meta:meta])*
        $client_vis:vis struct $Client:ident;
    ) => {
        $crate::api! { @trait
            [$(#[$trait_meta])* $trait_vis trait $Trait]
            [$({ [$(#[$meta])*] [$($word)+] [$($arg: $ty),*] [$($ret)?] })*]
            [$({ [$(#[$meta])*] [$($word)+] [$($arg: $ty),*] [$($ret)?] })*]
            []
        }

        $(#[$client_meta])*
        #[derive(Clone, Debug)]
        $client_vis struct $Client {
            calls: $crate::private::Calls,
        }

        impl $Client {
            /// Calls what the plugin of this name serves at a peer; the empty name is the root.
            $client_vis fn new(peer: &$crate::private::Peer, plugin: &str) -> Self {
                Self { calls: $crate::private::Calls::new(peer, plugin) }
            }

            $($crate::api! { @client $client_vis [$(#[$meta])*] [$($word)+] [$($arg: $ty),*] [$($ret)?] })*
        }
    };

    // The trait: method after method is moved from the second list to the last one. The attribute must see them all, so they
    // cannot be macros themselves.
    (@trait [$($head:tt)*] [] [$($method:tt)*] [$($done:tt)*]) => {
        #[$crate::async_trait]
        $($head)*: ::core::marker::Send + ::core::marker::Sync + 'static {
            $($done)*

            /// These methods as a router, for a plugin to return or a connection to serve.
            fn into_router(self: ::std::sync::Arc<Self>) -> $crate::private::Router {
                let router = $crate::private::Router::new();
                $(let router = $crate::api! { @route router self $method };)*
                router
            }
        }
    };
    (@trait $head:tt
        [{ [$($meta:tt)*] [fn $name:ident] [$($arg:ident: $ty:ty),*] [$($ret:ty)?] } $($rest:tt)*]
        $methods:tt [$($done:tt)*]
    ) => {
        $crate::api! { @trait $head [$($rest)*] $methods [$($done)*
            $($meta)*
            fn $name(
                &self, cx: $crate::private::Context $(, $arg: $ty)*
            ) -> ::core::result::Result<$crate::api!(@answer $($ret)?), $crate::private::RemoteError>;
        ] }
    };
    (@trait $head:tt
        [{ [$($meta:tt)*] [async fn $name:ident] [$($arg:ident: $ty:ty),*] [$($ret:ty)?] } $($rest:tt)*]
        $methods:tt [$($done:tt)*]
    ) => {
        $crate::api! { @trait $head [$($rest)*] $methods [$($done)*
            $($meta)*
            async fn $name(
                &self, cx: $crate::private::Context $(, $arg: $ty)*
            ) -> ::core::result::Result<$crate::api!(@answer $($ret)?), $crate::private::RemoteError>;
        ] }
    };
    (@trait $head:tt
        [{ [$($meta:tt)*] [source fn $name:ident] [$($arg:ident: $ty:ty),*] [$ret:ty] } $($rest:tt)*]
        $methods:tt [$($done:tt)*]
    ) => {
        $crate::api! { @trait $head [$($rest)*] $methods [$($done)*
            $($meta)*
            fn $name(&self, cx: $crate::private::Context $(, $arg: $ty)*) -> $ret;
        ] }
    };
    (@trait $head:tt
        [{ [$($meta:tt)*] [sink fn $name:ident] [$($arg:ident: $ty:ty),+] [] } $($rest:tt)*]
        $methods:tt [$($done:tt)*]
    ) => {
        $crate::api! { @trait $head [$($rest)*] $methods [$($done)*
            $($meta)*
            async fn $name(
                &self, cx: $crate::private::Context $(, $arg: $ty)+
            ) -> ::core::result::Result<(), $crate::private::RemoteError>;
        ] }
    };
    (@trait $head:tt
        [{ [$($meta:tt)*] [duplex fn $name:ident] [$($arg:ident: $ty:ty),+] [$ret:ty] } $($rest:tt)*]
        $methods:tt [$($done:tt)*]
    ) => {
        $crate::api! { @trait $head [$($rest)*] $methods [$($done)*
            $($meta)*
            fn $name(&self, cx: $crate::private::Context $(, $arg: $ty)+) -> $ret;
        ] }
    };
    (@trait $head:tt [{ $meta:tt [$($word:ident)+] $args:tt $ret:tt } $($rest:tt)*] $methods:tt $done:tt) => {
        ::core::compile_error!(::core::concat!(
            "`", ::core::stringify!($($word)+), "` is none of: `fn a(&self, …) -> R`, `async fn a(&self, …) -> R`, ",
            "`source fn a(&self, …) -> Items<T>`, `sink fn a(&self, items: Incoming<T>, …)`, ",
            "`duplex fn a(&self, items: Incoming<I>, …) -> Items<T>`"
        ));
    };

    // A method of the router.
    (@route $router:ident $server:tt { $meta:tt [fn $name:ident] [$($arg:ident: $ty:ty),*] $ret:tt }) => {{
        let server = ::std::sync::Arc::clone(&$server);
        $router.sync(
            &$crate::private::wire_name(::core::stringify!($name)),
            move |cx: $crate::private::Context, ($($arg,)*): ($($ty,)*)| Self::$name(&server, cx, $($arg),*),
        )
    }};
    (@route $router:ident $server:tt { $meta:tt [async fn $name:ident] [$($arg:ident: $ty:ty),*] $ret:tt }) => {{
        let server = ::std::sync::Arc::clone(&$server);
        $router.call(
            &$crate::private::wire_name(::core::stringify!($name)),
            move |cx: $crate::private::Context, ($($arg,)*): ($($ty,)*)| {
                let server = ::std::sync::Arc::clone(&server);
                async move { Self::$name(&server, cx, $($arg),*).await }
            },
        )
    }};
    (@route $router:ident $server:tt { $meta:tt [source fn $name:ident] [$($arg:ident: $ty:ty),*] $ret:tt }) => {{
        let server = ::std::sync::Arc::clone(&$server);
        $router.source(
            &$crate::private::wire_name(::core::stringify!($name)),
            move |cx: $crate::private::Context, ($($arg,)*): ($($ty,)*)| Self::$name(&server, cx, $($arg),*),
        )
    }};
    (@route $router:ident $server:tt {
        $meta:tt [sink fn $name:ident] [$items:ident: $items_ty:ty $(, $arg:ident: $ty:ty)*] $ret:tt
    }) => {{
        let server = ::std::sync::Arc::clone(&$server);
        $router.sink(
            &$crate::private::wire_name(::core::stringify!($name)),
            move |cx: $crate::private::Context, $items: $items_ty| {
                let server = ::std::sync::Arc::clone(&server);
                async move {
                    let ($($arg,)*): ($($ty,)*) = cx.args()?;
                    Self::$name(&server, cx, $items $(, $arg)*).await
                }
            },
        )
    }};
    (@route $router:ident $server:tt {
        $meta:tt [duplex fn $name:ident] [$items:ident: $items_ty:ty $(, $arg:ident: $ty:ty)*] $ret:tt
    }) => {{
        let server = ::std::sync::Arc::clone(&$server);
        $router.duplex(
            &$crate::private::wire_name(::core::stringify!($name)),
            move |cx: $crate::private::Context, $items: $items_ty| match cx.args::<($($ty,)*)>() {
                ::core::result::Result::Ok(($($arg,)*)) => Self::$name(&server, cx, $items $(, $arg)*),
                ::core::result::Result::Err(error) => $crate::private::failed(error),
            },
        )
    }};

    // A method of the client.
    (@client $vis:vis [$($meta:tt)*] [$(async)? fn $name:ident] [$($arg:ident: $ty:ty),*] [$($ret:ty)?]) => {
        $($meta)*
        $vis fn $name(&self $(, $arg: $ty)*) -> $crate::private::Calling<$crate::api!(@answer $($ret)?)> {
            self.calls.peer.call(&self.calls.name(::core::stringify!($name)), ($($arg,)*))
        }
    };
    (@client $vis:vis [$($meta:tt)*] [source fn $name:ident] [$($arg:ident: $ty:ty),*] [$ret:ty]) => {
        $($meta)*
        $vis fn $name(
            &self $(, $arg: $ty)*
        ) -> $crate::private::Opening<$crate::private::Source<<$ret as $crate::private::Carries>::Item>> {
            self.calls.peer.source(&self.calls.name(::core::stringify!($name)), ($($arg,)*))
        }
    };
    (@client $vis:vis [$($meta:tt)*] [sink fn $name:ident] [$items:ident: $items_ty:ty $(, $arg:ident: $ty:ty)*] []) => {
        $($meta)*
        $vis async fn $name(
            &self $(, $arg: $ty)*
        ) -> ::core::result::Result<
            $crate::Sender<<$items_ty as $crate::private::Carries>::Item>,
            $crate::private::Error,
        > {
            let opening = self.calls.peer.sink(&self.calls.name(::core::stringify!($name)), ($($arg,)*));
            ::core::result::Result::Ok(opening.await?.into())
        }
    };
    (@client
        $vis:vis [$($meta:tt)*] [duplex fn $name:ident] [$items:ident: $items_ty:ty $(, $arg:ident: $ty:ty)*] [$ret:ty]
    ) => {
        $($meta)*
        $vis async fn $name(
            &self $(, $arg: $ty)*
        ) -> ::core::result::Result<
            (
                $crate::Sender<<$items_ty as $crate::private::Carries>::Item>,
                $crate::private::Source<<$ret as $crate::private::Carries>::Item>,
            ),
            $crate::private::Error,
        > {
            let opening = self.calls.peer.duplex(&self.calls.name(::core::stringify!($name)), ($($arg,)*));
            let (outgoing, items) = opening.await?;
            ::core::result::Result::Ok((outgoing.into(), items))
        }
    };
    // What is wrong with it, the trait says.
    (@client $($wrong:tt)*) => {};

    (@answer) => { () };
    (@answer $ret:ty) => { $ret };
}

/// The sending side of a sink or duplex of a client that [`api!`](crate::api!) has declared: an
/// [`Outgoing`] for items of one type.
///
/// [`end`](Self::end) or [`close`](Self::close) it: dropped before that, it ends the stream with an error.
pub struct Sender<T> {
    outgoing: Outgoing,
    items: PhantomData<fn(T)>,
}

impl<T: Serialize> Sender<T> {
    /// Sends an item; waits while too much output is under way. See [`Outgoing::send`].
    ///
    /// Cancel safe: dropped before it resolves, the item is not sent.
    ///
    /// # Errors
    /// As [`Outgoing::send`].
    pub async fn send(&mut self, item: T) -> Result<(), Error> {
        self.outgoing.send(item).await
    }
}

impl<T> Sender<T> {
    /// Waits until the peer has ended its side. See [`Outgoing::ended`].
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// As [`Outgoing::ended`].
    pub async fn ended(&mut self) -> Result<(), Error> {
        self.outgoing.ended().await
    }

    /// Ends this side: the peer hears that there are no more items.
    pub fn end(&mut self) {
        self.outgoing.end();
    }

    /// Ends this side with an error, which the peer's handler sees.
    pub fn fail(self, error: &RemoteError) {
        self.outgoing.fail(error);
    }

    /// Ends this side and waits until the peer has ended its own. See [`Outgoing::close`].
    ///
    /// # Errors
    /// As [`Outgoing::close`].
    pub async fn close(self) -> Result<(), Error> {
        self.outgoing.close().await
    }
}

impl<T> From<Outgoing> for Sender<T> {
    fn from(outgoing: Outgoing) -> Self {
        Self {
            outgoing,
            items: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&self.outgoing).finish()
    }
}

/// What the expansion of [`api!`](crate::api!) uses; not for anybody else.
#[doc(hidden)]
pub mod private {
    use futures_util::{StreamExt, future, stream};

    pub use handfast_mux::tokio::{Calling, Context, Opening, Peer, Router, Source};
    pub use handfast_mux::{Error, RemoteError};

    use crate::camel_case;
    use handfast_mux::tokio::{Incoming, Items};

    /// A stream of items of one type, as it is written in a declaration.
    pub trait Carries {
        type Item;
    }

    impl<T> Carries for Items<T> {
        type Item = T;
    }

    impl<T> Carries for Incoming<T> {
        type Item = T;
    }

    /// What a client calls, and where.
    #[derive(Clone, Debug)]
    pub struct Calls {
        pub peer: Peer,
        prefix: String,
    }

    impl Calls {
        pub fn new(peer: &Peer, plugin: &str) -> Self {
            let mut prefix = camel_case(plugin);
            if !prefix.is_empty() {
                prefix.push('.');
            }
            Self {
                peer: peer.clone(),
                prefix,
            }
        }

        pub fn name(&self, method: &str) -> String {
            format!("{}{}", self.prefix, wire_name(method))
        }
    }

    /// The name that a method of a trait has on the wire.
    pub fn wire_name(method: &str) -> String {
        camel_case(method.strip_prefix("r#").unwrap_or(method))
    }

    /// Items that end with an error at once.
    pub fn failed<T: Send + 'static>(error: RemoteError) -> Items<T> {
        stream::once(future::ready(Err(error))).boxed()
    }
}
