//! Comparisons of products too large for 128 bits. Must not know what is compared.

use std::cmp::Ordering;

/// a x b against c x d, exactly.
pub(crate) fn compare(a: u128, b: u128, c: u128, d: u128) -> Ordering {
    product(a, b).cmp(&product(c, d))
}

/// 256 bits: the upper half, the lower half.
fn product(a: u128, b: u128) -> (u128, u128) {
    const HALF: u128 = (1 << 64) - 1;
    let (a1, a0, b1, b0) = (a >> 64, a & HALF, b >> 64, b & HALF);
    let low = a0 * b0;
    let middle = a1 * b0 + (low >> 64);
    let carried = a0 * b1 + (middle & HALF);
    (a1 * b1 + (middle >> 64) + (carried >> 64), (carried << 64) | (low & HALF))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_compared_beyond_128_bits() {
        assert_eq!(product(u128::MAX, u128::MAX), (u128::MAX - 1, 1));
        assert_eq!(compare(u128::MAX, 3, u128::MAX - 1, 3), Ordering::Greater);
        assert_eq!(compare(1 << 100, 1 << 90, 1 << 95, 1 << 95), Ordering::Equal);
        assert_eq!(compare(6, 7, 5, 9), Ordering::Less);
    }
}
