//! Durations, sizes and rates as people write and read them. Must not know what they measure.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration written with its unit: `500ms`, `10s`, `1m30s`, `2h`, `1d`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Span(pub Duration);

impl Span {
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    pub const fn milliseconds(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("{text:?} is no duration: write a number and its unit (ms, s, m, h, d), e.g. 10s or 1m30s");
        let mut rest = text.trim();
        let mut total_milliseconds: u64 = 0;
        if rest.is_empty() {
            return Err(refused());
        }
        while !rest.is_empty() {
            let digits = rest.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(refused)?;
            let number: u64 = rest[..digits].parse().map_err(|_| refused())?;
            rest = &rest[digits..];
            let letters = rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len());
            let unit_milliseconds = match &rest[..letters] {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return Err(refused()),
            };
            rest = &rest[letters..];
            let part = number.checked_mul(unit_milliseconds).ok_or_else(refused)?;
            total_milliseconds = total_milliseconds.checked_add(part).ok_or_else(refused)?;
        }
        Ok(Self::milliseconds(total_milliseconds))
    }
}

/// In the form that [`Span::from_str`] reads, in the largest unit that is exact.
impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_millis();
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
        let exact = units.into_iter().find(|(size, _)| milliseconds > 0 && milliseconds.is_multiple_of(*size));
        let (size, unit) = exact.unwrap_or((1_000, "s"));
        write!(formatter, "{}{unit}", milliseconds / size)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Reads bytes per second: `20MB/s`, `1.5MiB/s`, `500kB/s` or plain bytes. At least one byte per second.
pub fn parse_rate(text: &str) -> Result<u64, String> {
    let refused = || format!("{text:?} is no rate: write e.g. 20MB/s, 1.5MiB/s or bytes per second as a plain number");
    let rate = parse_size(text.trim().strip_suffix("/s").unwrap_or(text.trim())).map_err(|_| refused())?;
    if rate == 0 { Err(refused()) } else { Ok(rate) }
}

/// Reads bytes: `10GB`, `1.5GiB` or a plain number.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let refused = || format!("{text:?} is no size: write e.g. 10GB, 1.5GiB or a plain number of bytes");
    let text = text.trim();
    let letters = text.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let unit: u128 = match text[letters..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return Err(refused()),
    };
    let number = text[..letters].trim();
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(decimals) || whole.len() > 19 || decimals.len() > 9 || whole.is_empty() {
        return Err(refused());
    }
    let scale = 10u128.pow(u32::try_from(decimals.len()).map_err(|_| refused())?);
    let digits: u128 = format!("{whole}{decimals}").parse().map_err(|_| refused())?;
    u64::try_from(digits * unit / scale).map_err(|_| refused())
}

/// `1.5 GiB`: sizes for people.
pub fn bytes(bytes: u64) -> String {
    scaled(bytes, 1_024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB"])
}

/// `20.0 MB/s`: rates for people.
pub fn rate(bytes_per_second: u64) -> String {
    scaled(bytes_per_second, 1_000.0, &["B/s", "kB/s", "MB/s", "GB/s", "TB/s"])
}

fn scaled(value: u64, step: f64, units: &[&str]) -> String {
    let mut scaled = value as f64;
    let mut place = 0;
    while scaled >= step && place + 1 < units.len() {
        scaled /= step;
        place += 1;
    }
    let decimals = usize::from(place > 0 && scaled < 100.0);
    format!("{scaled:.decimals$} {}", units[place])
}

/// `1h 02m`, `3m 20s`, `12s`: durations for people.
pub fn duration_seconds(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit_or_refused() {
        let check = |text: &str, milliseconds: u64| assert_eq!(text.parse(), Ok(Span::milliseconds(milliseconds)), "{text}");
        check("10s", 10_000);
        check("500ms", 500);
        check("1m30s", 90_000);
        check("2h", 7_200_000);
        check("1d", 86_400_000);
        check("0s", 0);
        for refused in ["", "10", "s", "-1s", "1.5s", "10 s", "1y", "99999999999999999999s"] {
            assert!(refused.parse::<Span>().is_err(), "{refused}");
        }
    }

    #[test]
    fn a_printed_duration_is_read_back_as_itself() {
        for milliseconds in [0, 1, 999, 1_000, 60_000, 90_000, 3_600_000, 86_400_000] {
            let span = Span::milliseconds(milliseconds);
            assert_eq!(span.to_string().parse(), Ok(span));
        }
    }

    #[test]
    fn rates_are_read_exactly_or_refused() {
        let check = |text: &str, rate: u64| assert_eq!(parse_rate(text), Ok(rate), "{text}");
        check("20MB/s", 20_000_000);
        check("1.5MiB/s", 1_572_864);
        check("500kB/s", 500_000);
        check("1048576", 1_048_576);
        check("2 GB/s", 2_000_000_000);
        for refused in ["", "0", "fast", "-1MB/s", "1e6", "20Mbit/s", ".5MB/s", "99999999999999999999", "20MB/m"] {
            assert!(parse_rate(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn quantities_print_in_the_largest_fitting_unit() {
        let check = |printed: String, wanted: &str| assert_eq!(printed, wanted);
        check(bytes(0), "0 B");
        check(bytes(1_536), "1.5 KiB");
        check(bytes(200 << 30), "200 GiB");
        check(rate(20_000_000), "20.0 MB/s");
        check(duration_seconds(59), "59s");
        check(duration_seconds(3_725), "1h 02m");
    }
}
