//! Pages of lists: how long they are and where the next one begins. Must not know what is listed.

use std::str::FromStr;

use ballast_proto::common::v1::Reason;

use crate::Failure;

/// Longest page of any list.
pub const PAGE_SIZE_MAX: u32 = 1_000;

/// The length of a page when `asked` were asked for; 0 asks for `default`.
pub fn page_size(asked: u32, default: u32) -> usize {
    let size = if asked == 0 { default } else { asked };
    size.min(PAGE_SIZE_MAX) as usize
}

/// The key of the last item of the page before; `None` on the first page.
pub fn page_token<K: FromStr>(token: &str) -> Result<Option<K>, Failure> {
    if token.is_empty() {
        return Ok(None);
    }
    let invalid =
        |_| Failure::new(Reason::PageTokenInvalid, format!("the page token {token:?} is not from this list: start anew"));
    token.parse().map(Some).map_err(invalid)
}

/// The first `size` of `rest`, which begins after the page before, and the token of the next page: empty when there is none.
pub fn page<T>(mut rest: impl Iterator<Item = T>, size: usize, key: impl Fn(&T) -> String) -> (Vec<T>, String) {
    let items: Vec<T> = rest.by_ref().take(size).collect();
    let token = match (items.last(), rest.next()) {
        (Some(last), Some(_)) => key(last),
        _ => String::new(),
    };
    (items, token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_put_together_are_the_list() {
        let mut token = String::new();
        let mut seen = Vec::new();
        loop {
            let after = page_token::<u32>(&token).expect("tokens of this list are read");
            let rest = (1..=7_u32).filter(|item| after.is_none_or(|after| *item > after));
            let (items, next) = page(rest, page_size(3, 5), u32::to_string);
            seen.extend(items);
            if next.is_empty() {
                break;
            }
            token = next;
        }
        assert_eq!(seen, (1..=7).collect::<Vec<u32>>());
        assert!(page_token::<u32>("not a number").is_err());
    }
}
