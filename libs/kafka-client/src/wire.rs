//! Ballast's plain data to and from the codec's. Must not know any request.

use std::collections::BTreeMap;

use ballast_cluster::{BrokerId, TopicPartition};
use kafka_protocol::messages::{BrokerId as WireBrokerId, TopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

pub(crate) fn wire_brokers(brokers: &[BrokerId]) -> Vec<WireBrokerId> {
    brokers.iter().map(|broker| WireBrokerId(broker.0)).collect()
}

pub(crate) fn brokers(wire: &[WireBrokerId]) -> Vec<BrokerId> {
    wire.iter().map(|broker| BrokerId(broker.0)).collect()
}

/// Kafka numbers partitions with signed integers.
pub(crate) fn wire_partition(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

/// Negative numbers name no partition; Kafka does not send any.
pub(crate) fn at(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, u32::try_from(partition).unwrap_or(u32::MAX))
}

/// The partitions of each topic.
pub(crate) fn by_topic<'a, T>(items: impl IntoIterator<Item = (&'a TopicPartition, T)>) -> BTreeMap<&'a str, Vec<(i32, T)>> {
    let mut topics: BTreeMap<&str, Vec<(i32, T)>> = BTreeMap::new();
    for (at, item) in items {
        topics.entry(&at.topic).or_default().push((wire_partition(at.partition), item));
    }
    topics
}

/// `host:port`, with IPv6 addresses in brackets.
pub(crate) fn endpoint(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A topic id as Kafka prints it, base64url without padding; `None` for the zero id, which stands for "unknown".
pub(crate) fn topic_id(id: Uuid) -> Option<String> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if id.is_nil() {
        return None;
    }
    // 128 bits are 21 digits of 6 bits and a last one that holds 2 bits, filled up with zeros.
    let number = id.as_u128();
    let digit = |shift: u32| ALPHABET[usize::from((number >> shift) as u8 & 0x3f)];
    let mut printed: String = (0..21).map(|index| char::from(digit(122 - 6 * index))).collect();
    printed.push(char::from(ALPHABET[usize::from((number as u8 & 0x03) << 4)]));
    Some(printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_ids_print_as_kafka_prints_them() {
        // Kafka's own constants: Uuid.ONE_UUID and the reserved id of the metadata topic.
        assert_eq!(topic_id(Uuid::from_u128(1)).as_deref(), Some("AAAAAAAAAAAAAAAAAAAAAQ"));
        assert_eq!(topic_id(Uuid::from_u128(u128::MAX)).as_deref(), Some("_____________________w"));
        let bytes = *b"\x00\x10\x83\x10\x51\x87\x20\x92\x8b\x30\xd3\x8f\x41\x14\x93\x51";
        assert_eq!(topic_id(Uuid::from_bytes(bytes)).as_deref(), Some("ABCDEFGHIJKLMNOPQRSTUQ"));
        assert_eq!(topic_id(Uuid::nil()), None);
    }

    #[test]
    fn addresses_of_both_families_can_be_dialled() {
        assert_eq!(endpoint("broker-1.example", 9092), "broker-1.example:9092");
        assert_eq!(endpoint("::1", 9092), "[::1]:9092");
    }

    #[test]
    fn partitions_are_grouped_under_their_topic() {
        let items = [TopicPartition::new("b", 1), TopicPartition::new("a", 0), TopicPartition::new("b", 0)];
        let grouped = by_topic(items.iter().map(|at| (at, ())));
        assert_eq!(grouped.into_iter().collect::<Vec<_>>(), vec![("a", vec![(0, ())]), ("b", vec![(1, ()), (0, ())])]);
    }
}
