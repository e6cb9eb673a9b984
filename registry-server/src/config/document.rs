//! A configuration file as keys with lines, from which typed values are taken.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::{ConfigError, known, units};

/// A YAML value; what lies in lists and maps keeps its line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(i128),
    Text(String),
    List(Vec<(u64, Value)>),
    Map(Vec<(String, u64, Value)>),
}

/// What is left of a file, and what was made of it so far.
#[derive(Debug)]
pub(super) struct Document {
    name: String,
    left: BTreeMap<String, (u64, Value)>,
}

impl Document {
    /// Reads a file; duplicate keys are refused.
    pub(super) fn parse(text: &str, name: &str) -> Result<Self, ConfigError> {
        let root: Spanned<Value> = serde_saphyr::from_str(text).map_err(|cause| {
            let line = cause.location().map_or(1, |location| location.line());
            let message = cause.without_snippet().to_string();
            ConfigError(format!("{name}:{line}: {}", message.lines().next().unwrap_or("not YAML")))
        })?;
        let entries = match root.value {
            Value::Map(entries) => entries,
            Value::Null => Vec::new(),
            other => return Err(ConfigError(format!("{name}:1: expected keys and values, found {other}"))),
        };
        let mut left = BTreeMap::new();
        for (key, line, value) in entries {
            if left.insert(key.clone(), (line, value)).is_some() {
                return Err(ConfigError(format!("{name}:{line}: {key}: the key stands here twice")));
            }
        }
        Ok(Self { name: name.to_owned(), left })
    }

    /// Takes a key; a null counts as absent.
    pub(super) fn take(&mut self, key: &str) -> Option<(u64, Value)> {
        debug_assert!(known::UNDERSTOOD.iter().any(|(name, _, _)| *name == key), "{key} is not in the table");
        self.left.remove(key).filter(|(_, value)| *value != Value::Null)
    }

    /// A wrong value: what was expected, and what stands there.
    pub(super) fn wrong(&self, line: u64, key: &str, expected: &str, found: &str) -> ConfigError {
        ConfigError(format!("{}:{line}: {key}: expected {expected}, found {found}", self.name))
    }

    /// A switch. Quay's files are read by a YAML 1.1 parser, to which `yes` and `on` are switches too.
    pub(super) fn flag(&mut self, key: &str, default: bool) -> Result<bool, ConfigError> {
        let Some((line, value)) = self.take(key) else { return Ok(default) };
        match &value {
            Value::Bool(flag) => return Ok(*flag),
            Value::Text(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" => return Ok(true),
                "false" | "no" | "off" => return Ok(false),
                _ => {}
            },
            _ => {}
        }
        Err(self.wrong(line, key, "true or false", &value.to_string()))
    }

    /// A whole number that is not negative.
    pub(super) fn number(&mut self, key: &str) -> Result<Option<u64>, ConfigError> {
        let Some((line, value)) = self.take(key) else { return Ok(None) };
        match value {
            Value::Number(number) => u64::try_from(number).ok(),
            _ => None,
        }
        .map(Some)
        .ok_or_else(|| self.wrong(line, key, "a whole number", &value.to_string()))
    }

    /// A whole number of at least 1.
    pub(super) fn positive(&mut self, key: &str) -> Result<Option<u64>, ConfigError> {
        let Some((line, value)) = self.take(key) else { return Ok(None) };
        let found = match value {
            Value::Number(number) => u64::try_from(number).ok().filter(|number| *number > 0),
            _ => None,
        };
        let wrong = || self.wrong(line, key, "a whole number of at least 1", &value.to_string());
        found.map(Some).ok_or_else(wrong)
    }

    /// Text, with its line.
    pub(super) fn text(&mut self, key: &str) -> Result<Option<(u64, String)>, ConfigError> {
        match self.take(key) {
            None => Ok(None),
            Some((line, Value::Text(text))) => Ok(Some((line, text))),
            Some((line, other)) => Err(self.wrong(line, key, "text", &other.to_string())),
        }
    }

    /// A list of texts, each with its line.
    pub(super) fn texts(&mut self, key: &str) -> Result<Vec<(u64, String)>, ConfigError> {
        let Some((line, value)) = self.take(key) else { return Ok(Vec::new()) };
        let Value::List(entries) = value else {
            return Err(self.wrong(line, key, "a list", &value.to_string()));
        };
        entries
            .into_iter()
            .map(|(line, entry)| match entry {
                Value::Text(text) => Ok((line, text)),
                // A user may be called 1234.
                Value::Number(number) => Ok((line, number.to_string())),
                other => Err(self.wrong(line, key, "a list of texts", &other.to_string())),
            })
            .collect()
    }

    /// A list of texts, or one of them alone.
    pub(super) fn text_or_texts(&mut self, key: &str) -> Result<Vec<(u64, String)>, ConfigError> {
        match self.left.get(key) {
            Some((_, Value::Text(_))) => Ok(self.text(key)?.into_iter().collect()),
            _ => self.texts(key),
        }
    }

    /// A duration, in milliseconds.
    pub(super) fn duration_ms(&mut self, key: &str) -> Result<Option<u64>, ConfigError> {
        self.scalar(key, "a duration such as \"2w\"", units::duration_ms)
    }

    /// A size, in bytes.
    pub(super) fn size(&mut self, key: &str) -> Result<Option<u64>, ConfigError> {
        self.scalar(key, "a size such as \"20G\"", units::size_bytes)
    }

    fn scalar(
        &mut self,
        key: &str,
        expected: &str,
        read: impl Fn(&str) -> Option<u64>,
    ) -> Result<Option<u64>, ConfigError> {
        let Some((line, value)) = self.take(key) else { return Ok(None) };
        let found = match &value {
            Value::Text(text) => read(text),
            Value::Number(number) => read(&number.to_string()),
            _ => None,
        };
        found.map(Some).ok_or_else(|| self.wrong(line, key, expected, &value.to_string()))
    }

    /// What the keys that nobody took deserve: one warning for those that Quay knows, one each for the others.
    pub(super) fn warnings(&self) -> Vec<String> {
        let (quay, unknown): (Vec<_>, Vec<_>) = self.left.iter().partition(|(key, _)| known::is_quay(key));
        let mut warnings = Vec::new();
        if !quay.is_empty() {
            let keys: Vec<&str> = quay.iter().map(|(key, _)| key.as_str()).collect();
            warnings.push(format!("{}: not implemented and without effect: {}", self.name, keys.join(", ")));
        }
        for (key, (line, _)) in unknown {
            let hint = known::nearest(key).map_or(String::new(), |near| format!("; did you mean {near}?"));
            warnings.push(format!("{}:{line}: {key}: unknown key, without effect{hint}", self.name));
        }
        warnings
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("nothing"),
            Self::Bool(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(text) => {
                let shown: String = text.chars().take(60).collect();
                write!(f, "{shown:?}")
            }
            Self::List(_) => f.write_str("a list"),
            Self::Map(_) => f.write_str("a map"),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    /// No key takes a fraction, so it is kept as the text of an error.
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element::<Spanned<Value>>()? {
            list.push((entry.referenced.line(), entry.value));
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let value = entries.next_value::<Value>()?;
            map.push((key.value, key.referenced.line(), value));
        }
        Ok(Value::Map(map))
    }
}
