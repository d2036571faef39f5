//! Tells what a listener wants when it hangs up on plain Kafka requests: TLS, SASL or nothing of the kind. Must not speak either.

use kafka_protocol::messages::{SaslHandshakeRequest, SaslHandshakeResponse};
use kafka_protocol::protocol::StrBytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::connection::{Connection, decode};

/// The smallest TLS 1.2 ClientHello. Its sender means to go no further, so the random part may be zeros.
const CLIENT_HELLO: &[u8] = &[
    0x16, 0x03, 0x01, 0x00, 0x2d, // record: handshake, 45 bytes
    0x01, 0x00, 0x00, 0x29, // ClientHello, 41 bytes
    0x03, 0x03, // TLS 1.2
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    // random
    0x00, // no session id
    0x00, 0x02, 0xc0, 0x2f, // one cipher suite
    0x01, 0x00, // no compression
];
/// A mechanism that nobody has enabled: a SASL listener answers with its list, a plain one that SASL is out of place here.
const NO_MECHANISM: StrBytes = StrBytes::from_static_str("BALLAST-PROBE");
const UNSUPPORTED_SASL_MECHANISM: i16 = 33;

/// Whether the listener answers a ClientHello as TLS does, with a handshake record or an alert.
pub(crate) async fn wants_tls(endpoint: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(endpoint).await else { return false };
    let mut answer = [0_u8; 2];
    stream.write_all(CLIENT_HELLO).await.is_ok()
        && stream.read_exact(&mut answer).await.is_ok()
        && matches!(answer, [0x15 | 0x16, 0x03])
}

/// Whether the listener is ready to talk about SASL mechanisms.
pub(crate) async fn wants_sasl(endpoint: &str, client_id: &str) -> bool {
    let Ok(mut connection) = Connection::open(endpoint, client_id).await else { return false };
    let request = SaslHandshakeRequest::default().with_mechanism(NO_MECHANISM);
    let Ok(frame) = connection.frame(&request, 1) else { return false };
    if connection.send(&frame).await.is_err() {
        return false;
    }
    let Ok(mut body) = connection.receive::<SaslHandshakeRequest>(1).await else { return false };
    decode::<SaslHandshakeResponse>(&mut body, 1).is_ok_and(|response| response.error_code == UNSUPPORTED_SASL_MECHANISM)
}
