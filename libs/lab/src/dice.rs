//! Our own randomness: SplitMix64, and a lognormal made of nothing but integer sums and the four operations, so that every
//! platform gives the same bits (libm's `exp` and `ln` may differ in the last one). Must not know what is thrown for.

/// SplitMix64 (Steele, Lea, Flood 2014): one addition and a mix per number.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice(seed ^ 0x1D8E_4E27_C47D_124F);
        dice.next();
        dice
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Uniform below `bound`, by multiplication; the bias is below bound / 2^64.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at as u64 + 1) as usize);
        }
    }

    /// Mean 0, variance 1: the sum of twelve uniforms of 16 bits (Irwin-Hall), within six deviations.
    fn normal(&mut self) -> f64 {
        let mut sum = 0_u64;
        for _ in 0..3 {
            let bits = self.next();
            sum += (bits & 0xFFFF) + ((bits >> 16) & 0xFFFF) + ((bits >> 32) & 0xFFFF) + (bits >> 48);
        }
        (sum as f64 - 6.0 * 65535.0) / 65536.0
    }

    /// Median 1, standard deviation of the logarithm `spread`.
    pub(crate) fn lognormal(&mut self, spread: f64) -> f64 {
        exp(spread * self.normal())
    }
}

/// e^x for |x| < 700 or so: 2^n by its bits, the rest by Taylor's series. Exact to about 1e-15, and the same everywhere.
fn exp(x: f64) -> f64 {
    let doublings = (x * std::f64::consts::LOG2_E).round();
    let rest = x - doublings * std::f64::consts::LN_2;
    let mut sum = 1.0;
    for n in (1..=16).rev() {
        sum = 1.0 + sum * rest / f64::from(n);
    }
    sum * f64::from_bits(((doublings as i64 + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_the_exponential() {
        for at in -600..=600 {
            let x = f64::from(at) / 100.0;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-14, "{x}");
        }
    }

    #[test]
    fn the_generator_is_splitmix64_and_the_lognormal_has_its_moments() {
        // The published first outputs of SplitMix64 from seed 0.
        let mut raw = Dice(0);
        assert_eq!([raw.next(), raw.next()], [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4]);
        let mut dice = Dice::new(1);
        let draws: Vec<f64> = (0..100_000).map(|_| dice.lognormal(1.2).ln() / 1.2).collect();
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|z| (z - mean) * (z - mean)).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }
}
