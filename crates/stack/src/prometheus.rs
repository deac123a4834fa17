//! Counters for Prometheus, over HTTP. Off unless the configuration says where.

use std::{convert::Infallible, fmt, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text::encode},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};

use crate::{Error, NodeHandle};

/// The content type of the text format that [`encode`] writes.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Scrapes at a time; more wait. One scraper needs one.
const MAX_SCRAPES: usize = 8;
/// How long a scrape may take, so that a slow one does not keep its place.
const SCRAPE: Duration = Duration::from_secs(10);

/// Binds the endpoint and serves `GET /metrics` until the node is gone.
pub(crate) async fn serve(node: &NodeHandle, on: SocketAddr) -> Result<SocketAddr, Error> {
    let listener = TcpListener::bind(on)
        .await
        .map_err(|source| Error::Prometheus { on, source })?;
    let bound = listener
        .local_addr()
        .map_err(|source| Error::Prometheus { on, source })?;
    let handle = node.clone();
    node.spawn(async move {
        let places = std::sync::Arc::new(Semaphore::new(MAX_SCRAPES));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else {
                return;
            };
            let Ok((tcp, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let node = handle.clone();
            handle.spawn(async move {
                let answer = service_fn(|request| std::future::ready(Ok::<_, Infallible>(answer(&node, &request))));
                let mut http = http1::Builder::new();
                http.keep_alive(false).timer(TokioTimer::new());
                let _ = timeout(SCRAPE, http.serve_connection(TokioIo::new(tcp), answer)).await;
                drop(place);
            });
        }
    });
    Ok(bound)
}

fn answer(node: &NodeHandle, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let plain = |status, text: &'static str| {
        let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
        *response.status_mut() = status;
        response
    };
    if request.method() != Method::GET {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here\n");
    }
    if request.uri().path() != "/metrics" {
        return plain(StatusCode::NOT_FOUND, "the counters are at /metrics\n");
    }
    let mut response = Response::new(Full::new(Bytes::from(text(node))));
    let kind = header::HeaderValue::from_static(OPEN_METRICS);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// All counters in the text format.
pub(crate) fn text(node: &NodeHandle) -> String {
    let mut registry = Registry::with_prefix("handfast");
    registry.register_collector(Box::new(Counters(node.clone())));
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct Counters(NodeHandle);

impl Collector for Counters {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let now = self.0.stats();
        let gauges = [
            ("connections", "Connections that are open", now.connections),
            ("uptime_milliseconds", "Milliseconds since the node started", now.uptime),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let counters = [
            ("incoming", "Connections that came in and were let in", now.incoming),
            ("outgoing", "Connections that were dialled", now.outgoing),
            ("refused", "Connections that came in and were not let in", now.refused),
            ("dial_failures", "Attempts to dial that failed", now.dial_failures),
            (
                "duplicates",
                "Connections closed in favour of another one to the same peer",
                now.duplicates,
            ),
            (
                "inactive",
                "Connections cut because nothing passed through them",
                now.inactive,
            ),
            ("calls", "Calls with one answer that peers made", now.calls),
            ("streams", "Streams that peers opened", now.streams),
            ("failures", "Calls and streams that ended with an error", now.failures),
            ("denied", "Calls and streams that permissions forbade", now.denied),
            ("bytes_in", "Bytes received, after decryption", now.bytes_in),
            ("bytes_out", "Bytes sent, before encryption", now.bytes_out),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        Ok(())
    }
}
