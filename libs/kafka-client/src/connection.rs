//! One TCP connection to one Kafka node: frames, correlation ids, version negotiation. One request at a time. Must not know
//! routing, deadlines or what requests mean.

use std::collections::HashMap;
use std::io;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, Request, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Largest answer that is read; the largest known one (metadata of 100 000 partitions) has about 4 MB.
const FRAME_BYTES_MAX: usize = 100 * 1024 * 1024;
/// Spoken by every broker since 2.4; a broker answers an unknown version in version 0 with error 35.
const API_VERSIONS_VERSION: i16 = 3;

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request did not leave as a whole, so the node cannot have acted on it.
    NotSent(String),
    /// The node closed the connection, or it broke, before answering.
    Closed(String),
    /// Bytes came that are no answer to the request; TLS alerts are told apart.
    Malformed(String),
    TlsAlert,
}

pub(crate) struct Connection {
    stream: TcpStream,
    client_id: StrBytes,
    correlation_id: i32,
    /// Lowest and highest version the node speaks, by API key.
    versions: HashMap<i16, (i16, i16)>,
}

impl Connection {
    /// Connects and asks which versions the node speaks.
    pub async fn open(endpoint: &str, client_id: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(endpoint).await.map_err(|error| Failure::NotSent(error.to_string()))?;
        stream.set_nodelay(true).map_err(|error| Failure::NotSent(error.to_string()))?;
        let client_id = StrBytes::from_string(client_id.to_owned());
        let mut connection = Self { stream, client_id, correlation_id: 0, versions: HashMap::new() };
        connection.negotiate().await?;
        Ok(connection)
    }

    async fn negotiate(&mut self) -> Result<(), Failure> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("ballast"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let frame = self.frame(&request, API_VERSIONS_VERSION)?;
        self.send(&frame).await?;
        let mut body = self.receive::<ApiVersionsRequest>(API_VERSIONS_VERSION).await?;
        // The error code comes first in every version; with one the rest may be in the layout of version 0.
        if body.len() >= 2 && i16::from_be_bytes([body[0], body[1]]) != 0 {
            return Err(Failure::Malformed("version negotiation was refused: brokers before 3.9 are not supported".into()));
        }
        let response = decode::<ApiVersionsResponse>(&mut body, API_VERSIONS_VERSION)?;
        self.versions = response.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
        Ok(())
    }

    /// The newest version of `R` that both sides speak and that is at least `lowest`.
    pub fn version_of<R: Request>(&self, lowest: i16) -> Option<i16> {
        let (spoken_min, spoken_max) = *self.versions.get(&R::KEY)?;
        let ours = R::VERSIONS.intersect(&R::Response::VERSIONS);
        common_version((spoken_min, spoken_max), (ours.min.max(lowest), ours.max))
    }

    /// Whether a connection that lay idle can still be used: not closed, and no stray bytes waiting.
    pub fn is_usable(&self) -> bool {
        let mut byte = [0_u8; 1];
        matches!(self.stream.try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The bytes of a request, ready to [`send`](Self::send).
    pub fn frame<R: Request>(&mut self, request: &R, version: i16) -> Result<BytesMut, Failure> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(self.client_id.clone()));
        let mut frame = BytesMut::from(&[0_u8; 4][..]);
        header
            .encode(&mut frame, R::header_version(version))
            .and_then(|()| request.encode(&mut frame, version))
            .map_err(|error| Failure::NotSent(format!("the request cannot be encoded: {error}")))?;
        let length = u32::try_from(frame.len() - 4).map_err(|_| Failure::NotSent("the request is longer than 4 GiB".into()))?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        Ok(frame)
    }

    pub async fn send(&mut self, frame: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(frame).await.map_err(|error| Failure::NotSent(error.to_string()))
    }

    /// The body of the answer to the request framed last.
    pub async fn receive<R: Request>(&mut self, version: i16) -> Result<Bytes, Failure> {
        let mut prefix = [0_u8; 4];
        self.stream.read_exact(&mut prefix).await.map_err(closed)?;
        let length = frame_length(prefix)?;
        let mut body = vec![0_u8; length];
        self.stream.read_exact(&mut body).await.map_err(closed)?;
        let mut body = Bytes::from(body);
        let header = decode::<ResponseHeader>(&mut body, R::Response::header_version(version))?;
        if header.correlation_id != self.correlation_id {
            return Err(Failure::Malformed(format!("answer {} to request {}", header.correlation_id, self.correlation_id)));
        }
        Ok(body)
    }
}

/// Decodes the whole of `body`.
pub(crate) fn decode<M: Decodable>(body: &mut Bytes, version: i16) -> Result<M, Failure> {
    M::decode(body, version).map_err(|error| Failure::Malformed(error.to_string()))
}

fn closed(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Failure::Closed("the connection was closed without an answer".into()),
        _ => Failure::Closed(error.to_string()),
    }
}

/// The length that a frame announces. A TLS alert in its place would read as about 352 MB.
fn frame_length(prefix: [u8; 4]) -> Result<usize, Failure> {
    if prefix[0] == 0x15 && prefix[1] == 0x03 {
        return Err(Failure::TlsAlert);
    }
    match usize::try_from(i32::from_be_bytes(prefix)) {
        Ok(length) if (4..=FRAME_BYTES_MAX).contains(&length) => Ok(length),
        _ => Err(Failure::Malformed(format!("a frame that starts with {prefix:02x?} is no Kafka answer"))),
    }
}

fn common_version(spoken: (i16, i16), ours: (i16, i16)) -> Option<i16> {
    let highest = spoken.1.min(ours.1);
    (highest >= spoken.0.max(ours.0)).then_some(highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_that_both_speak_is_taken() {
        let cases = [
            ((0, 2), (0, 1), Some(1)),
            ((0, 0), (0, 1), Some(0)),
            ((0, 0), (1, 1), None),
            ((3, 9), (0, 2), None),
            ((2, 2), (2, 2), Some(2)),
        ];
        for (spoken, ours, expected) in cases {
            assert_eq!(common_version(spoken, ours), expected, "spoken {spoken:?}, ours {ours:?}");
        }
    }

    #[test]
    fn frames_that_cannot_be_answers_are_told_apart() {
        assert!(matches!(frame_length([0, 0, 1, 0]), Ok(256)));
        assert!(matches!(frame_length([0x15, 0x03, 0x03, 0x00]), Err(Failure::TlsAlert)));
        for prefix in [*b"HTTP", [0xff; 4], [0, 0, 0, 3]] {
            assert!(matches!(frame_length(prefix), Err(Failure::Malformed(_))), "{prefix:?}");
        }
    }
}
