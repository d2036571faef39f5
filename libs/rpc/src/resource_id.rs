//! Ids of created things: the same request id gives the same id. Must not know what is created.

use sha2::{Digest as _, Sha256};

/// RFC 4648 base 32, in lower case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const CHARACTERS: usize = 12;

/// `<kind>-` and 12 base 32 characters of the SHA-256 of the request id, which [`crate::mutation`] has brought to lower case.
pub fn resource_id(kind: &str, request_id: &str) -> String {
    let hash = Sha256::digest(request_id.as_bytes());
    let mut bits = u64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]]);
    let mut id = format!("{kind}-");
    for _ in 0..CHARACTERS {
        id.push(char::from(ALPHABET[(bits >> 59) as usize]));
        bits <<= 5;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_depends_on_the_request_id_alone() {
        let request = "0d1f6f8e-3f0e-4c57-9d0f-0d9a7f3d6a11";
        let id = resource_id("plan", request);
        assert_eq!(id, resource_id("plan", request));
        assert_ne!(id, resource_id("plan", "0d1f6f8e-3f0e-4c57-9d0f-0d9a7f3d6a12"));
        assert_eq!(id.len(), "plan-".len() + CHARACTERS);
        assert!(id["plan-".len()..].bytes().all(|letter| ALPHABET.contains(&letter)));
    }
}
