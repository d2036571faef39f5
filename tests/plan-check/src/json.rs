//! Typed access to JSON values, each refusal with its place. Must not know what the fields mean.

use serde_json::Value;

use crate::{Finding, Rule};

/// A value and where it stands.
#[derive(Clone)]
pub(crate) struct Place<'a> {
    value: &'a Value,
    path: String,
}

type Found<T> = Result<T, Finding>;

impl<'a> Place<'a> {
    pub fn top(value: &'a Value, name: &str) -> Self {
        Place { value, path: name.to_owned() }
    }

    fn wrong(&self, what: &str) -> Finding {
        let text: String = self.value.to_string().chars().take(60).collect();
        Finding { rule: Rule::Format, place: self.path.clone(), problem: format!("{text} is not {what}") }
    }

    /// The field, which must be there.
    pub fn at(&self, key: &str) -> Found<Place<'a>> {
        let path = format!("{}.{key}", self.path);
        match self.value.get(key) {
            Some(value) => Ok(Place { value, path }),
            None => Err(Finding { rule: Rule::Format, place: path, problem: "is missing".to_owned() }),
        }
    }

    /// The field, if it is there and not null.
    pub fn maybe(&self, key: &str) -> Option<Place<'a>> {
        self.at(key).ok().filter(|place| !place.is_null())
    }

    pub fn is_null(&self) -> bool {
        self.value.is_null()
    }

    pub fn u64(&self) -> Found<u64> {
        self.value.as_u64().ok_or_else(|| self.wrong("a whole number from 0"))
    }

    pub fn id(&self) -> Found<i64> {
        self.value.as_i64().ok_or_else(|| self.wrong("a broker id"))
    }

    pub fn number(&self) -> Found<f64> {
        self.value.as_f64().ok_or_else(|| self.wrong("a number"))
    }

    pub fn flag(&self) -> Found<bool> {
        self.value.as_bool().ok_or_else(|| self.wrong("true or false"))
    }

    pub fn text(&self) -> Found<&'a str> {
        self.value.as_str().ok_or_else(|| self.wrong("a text"))
    }

    /// A text that ends as sentences do.
    pub fn sentence(&self) -> Found<&'a str> {
        self.text().ok().filter(|text| text.len() > 1 && text.ends_with('.')).ok_or_else(|| self.wrong("a sentence"))
    }

    /// One of the given texts.
    pub fn one_of(&self, allowed: &[&str]) -> Found<&'a str> {
        self.text().ok().filter(|text| allowed.contains(text)).ok_or_else(|| self.wrong(&format!("one of {allowed:?}")))
    }

    pub fn optional<T>(&self, read: impl Fn(&Self) -> Found<T>) -> Found<Option<T>> {
        if self.is_null() { Ok(None) } else { read(self).map(Some) }
    }

    pub fn list<T>(&self, mut read: impl FnMut(Place<'a>) -> Found<T>) -> Found<Vec<T>> {
        let items = self.value.as_array().ok_or_else(|| self.wrong("a list"))?;
        items.iter().enumerate().map(|(n, value)| read(Place { value, path: format!("{}[{n}]", self.path) })).collect()
    }

    pub fn ids(&self) -> Found<Vec<i64>> {
        self.list(|item| item.id())
    }

    /// A decimal fraction in millionths, exactly.
    pub fn millionths(&self) -> Found<u64> {
        let text = self.value.to_string();
        let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
        let parsed = format!("{whole}{decimals:0<6}").parse().ok().filter(|_| decimals.len() <= 6);
        parsed.ok_or_else(|| self.wrong("a decimal fraction of at most six places"))
    }
}
