//! `handfast call`: one method of one peer.

use crate::{
    args::{self, Target},
    config,
    control::Node,
    dial::{Carries, dial},
    exit::Failure,
    home::Home,
    out,
};
use anyhow::{Context, anyhow};
use futures_util::StreamExt;
use handfast_mux::{
    Body, BodyKind, CallType, Error, Manifest, MethodName,
    tokio::{Outgoing, Peer, Router, Source, connection},
};
use tokio::io::{AsyncBufReadExt, BufReader};

pub(crate) async fn run(home: &Home, options: args::Call) -> Result<(), Failure> {
    let method: MethodName = options.method.parse().map_err(Failure::usage)?;
    let arguments = json_list(&options.arguments)?;
    let (peer, driving) = match options.target {
        Target::Local if options.who.seed.is_some() || options.who.anonymous => {
            return Err(Failure::usage(anyhow!(
                "the own node is called as its owner, without --seed and --anonymous"
            )));
        }
        Target::Local => Node::reach(home).await?.into_parts(),
        Target::Peer(address) => {
            let (settings, network) = config::for_dialling(home, &options.network)?;
            let stream = dial(home, &settings, &address, network, options.who, Carries::Calls).await?;
            // The peer may call us too; it finds nothing.
            let (peer, driver) = connection(stream, Router::new());
            (peer, tokio::spawn(driver))
        }
    };
    let output = Output {
        raw: options.raw,
        left: options.take,
    };
    let result = tokio::select! {
        result = call(&peer, &method, arguments, options.kind.map(CallType::from), output) => result,
        _ = tokio::signal::ctrl_c() => Err(Failure::connection(anyhow!("interrupted"))),
    };
    match &result {
        // The answer is there already; a peer that does not answer the goodbye is no failure of the call.
        Ok(()) => drop(peer.close().await),
        Err(_) => peer.abort("the call ended"),
    }
    let _ = driving.await;
    result
}

/// The arguments as one JSON list.
fn json_list(arguments: &[String]) -> Result<String, Failure> {
    for argument in arguments {
        serde_json::from_str::<serde::de::IgnoredAny>(argument).map_err(|error| {
            let hint = format!("'{}'", serde_json::Value::from(argument.as_str()));
            Failure::usage(anyhow!(
                "the argument {argument} is not JSON ({error}); a text is written {hint}"
            ))
        })?;
    }
    Ok(format!("[{}]", arguments.join(",")))
}

async fn call(
    peer: &Peer,
    method: &MethodName,
    arguments: String,
    kind: Option<CallType>,
    mut output: Output,
) -> Result<(), Failure> {
    let kind = match kind {
        Some(kind) => kind,
        None => kind_of(peer, method).await?,
    };
    match kind {
        CallType::Sync | CallType::Async => {
            let answer = peer.call_raw(method, arguments).await.map_err(failed)?;
            output.print(&answer).map(drop)
        }
        CallType::Source => {
            let items = peer.source_raw(method, arguments).await.map_err(failed)?;
            print_all(items, &mut output).await
        }
        CallType::Sink => {
            let items = peer.sink_raw(method, arguments).await.map_err(failed)?;
            send_stdin(items).await?.close().await.map_err(failed)
        }
        CallType::Duplex => {
            let (items, answers) = peer.duplex_raw(method, arguments).await.map_err(failed)?;
            let send = async {
                let mut items = send_stdin(items).await?;
                items.end();
                // Dropped now, it would take the half that is still read with it.
                Ok::<_, Failure>(items)
            };
            let receive = print_all(answers, &mut output);
            tokio::pin!(send, receive);
            // When the answers have ended there is nobody to send to, so stdin is not awaited any longer.
            tokio::select! {
                result = &mut receive => result,
                sent = &mut send => {
                    let _items = sent?;
                    receive.await
                }
            }
        }
    }
}

/// Asks the peer of which kind the method is.
async fn kind_of(peer: &Peer, method: &MethodName) -> Result<CallType, Failure> {
    let manifest: Manifest = peer.call("manifest", ()).await.map_err(|error| match error {
        Error::Remote(error) => Failure::remote(anyhow!(
            "the peer does not tell its methods ({}); say the kind with --type, such as --type async",
            error.message()
        )),
        error => failed(error),
    })?;
    manifest.get(method).ok_or_else(|| {
        Failure::remote(anyhow!(
            "the peer has no method {method}; its methods: {}",
            serde_json::to_string(&manifest).unwrap_or_default()
        ))
    })
}

async fn print_all(mut items: Source, output: &mut Output) -> Result<(), Failure> {
    if output.left == Some(0) {
        return Ok(());
    }
    while let Some(item) = items.next().await {
        if !output.print(&item.map_err(failed)?)? {
            break;
        }
    }
    Ok(())
}

/// Sends each line of stdin, a JSON value, as an item, until stdin or the peer has ended; returns the stream.
async fn send_stdin(mut items: Outgoing) -> Result<Outgoing, Failure> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut number = 0;
    loop {
        let line = tokio::select! {
            line = lines.next_line() => line.context("cannot read stdin").map_err(Failure::local)?,
            // A refusal must not wait for somebody to type another line.
            ended = items.ended() => return ended.map(|()| items).map_err(failed),
        };
        let Some(line) = line else { return Ok(items) };
        number += 1;
        if line.trim().is_empty() {
            continue;
        }
        let value: serde_json::Value = serde_json::from_str(line.trim())
            .with_context(|| format!("line {number} of stdin is not a JSON value"))
            .map_err(Failure::usage)?;
        items.send(value).await.map_err(failed)?;
    }
}

/// An error of the peer is one thing, a broken connection another.
fn failed(error: Error) -> Failure {
    match error {
        Error::Remote(error) => Failure::remote(anyhow!("{error}")),
        Error::Decode(_) => Failure::remote(error),
        Error::Encode(_) | Error::BodyTooLong { .. } | Error::MethodName(_) => Failure::usage(error),
        Error::UnexpectedEnd => Failure::connection(anyhow!(
            "{error}: the peer closed the connection before it had answered (JavaScript peers do so when an answer is empty)"
        )),
        error => Failure::connection(error),
    }
}

/// What is printed, and how much of it.
struct Output {
    raw: bool,
    left: Option<u64>,
}

impl Output {
    /// Prints one value; tells whether more are wanted.
    fn print(&mut self, body: &Body) -> Result<bool, Failure> {
        let written = match body.kind() {
            _ if self.raw => out::bytes(body.as_bytes()),
            // JSON as it came.
            BodyKind::Json => out::line(format_args!("{}", out::json_line(body.as_str().unwrap_or_default()))),
            // Texts and buffers in JSON's form for them.
            _ => out::json(&body.to_value::<serde_json::Value>().map_err(Failure::remote)?),
        };
        written.context("cannot write to stdout").map_err(Failure::local)?;
        self.left = self.left.map(|left| left.saturating_sub(1));
        Ok(self.left != Some(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_become_one_list() {
        assert_eq!(json_list(&[]).unwrap(), "[]");
        assert_eq!(
            json_list(&["5".into(), "\"x\"".into(), "{\"live\":true}".into()]).unwrap(),
            "[5,\"x\",{\"live\":true}]"
        );
    }

    #[test]
    fn an_argument_that_is_no_json_is_refused_with_the_way_to_write_it() {
        let failure = json_list(&["kia ora".into()]).unwrap_err().to_string();
        assert!(failure.contains("'\"kia ora\"'"), "{failure}");
        assert!(
            json_list(&["1,2".into()]).is_err(),
            "one argument cannot smuggle in another"
        );
    }
}
