//! From Kafka's error numbers to the port's errors. Must not know which request was refused beyond its name.

use ballast_kafka::{ErrorCode, KafkaError};
use kafka_protocol::protocol::StrBytes;

/// `Err` with what Kafka said unless `number` is 0.
pub(crate) fn check(operation: &'static str, number: i16, message: Option<&StrBytes>) -> Result<(), KafkaError> {
    match ErrorCode::from_number(number) {
        None => Ok(()),
        Some(code) => {
            let message = message.map(|text| text.to_string()).filter(|text| !text.is_empty());
            Err(KafkaError::Refused { operation, code, message })
        }
    }
}

/// Whether the node says that another one is the controller: it has done nothing.
pub(crate) fn is_not_controller(number: i16) -> bool {
    ErrorCode::from_number(number) == Some(ErrorCode::NotController)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_codes_and_empty_messages_vanish() {
        assert_eq!(check("Op", 0, None), Ok(()));
        let refused = |message: Option<&str>| KafkaError::Refused {
            operation: "Op",
            code: ErrorCode::NotController,
            message: message.map(str::to_owned),
        };
        assert_eq!(check("Op", 41, Some(&StrBytes::from_static_str("ask 3"))), Err(refused(Some("ask 3"))));
        assert_eq!(check("Op", 41, Some(&StrBytes::new())), Err(refused(None)));
        assert!(is_not_controller(41) && !is_not_controller(0));
    }
}
