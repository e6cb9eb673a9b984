//! Reading JSON so that every reader of the same bytes sees the same document.
//!
//! JSON leaves open what a repeated key means, and parsers differ: a manifest could show one
//! layer to the registry and another to the client that runs it. So repeated keys are refused.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::excerpt;
use super::manifest::{InvalidManifest, MAX_DEPTH};

/// Checks that `bytes` are one JSON value with no key twice in an object and at most [`MAX_DEPTH`]
/// objects and arrays within each other. Builds no tree: it holds the keys of the open objects only.
pub(super) fn check(bytes: &[u8]) -> Result<(), InvalidManifest> {
    let mut refusal = None;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let walked = Walk { depth: 0, refusal: &mut refusal }.deserialize(&mut deserializer);
    match (walked.and_then(|()| deserializer.end()), refusal) {
        (_, Some(refusal)) => Err(refusal),
        (Err(error), None) => Err(InvalidManifest::NotJson(excerpt(&error.to_string()))),
        (Ok(()), None) => Ok(()),
    }
}

/// One value of the document, inside `depth` objects and arrays.
struct Walk<'r> {
    depth: usize,
    /// Why the walk stopped, where JSON itself has no objection.
    refusal: &'r mut Option<InvalidManifest>,
}

impl Walk<'_> {
    /// Steps into this value, an object or array.
    fn enter<E: de::Error>(&mut self) -> Result<(), E> {
        if self.depth == MAX_DEPTH {
            return Err(self.refuse(InvalidManifest::TooDeep));
        }
        self.depth += 1;
        Ok(())
    }

    /// A value directly inside the one stepped into.
    fn inner(&mut self) -> Walk<'_> {
        Walk { depth: self.depth, refusal: self.refusal }
    }

    /// Stops the walk; the error only unwinds it.
    fn refuse<E: de::Error>(&mut self, refusal: InvalidManifest) -> E {
        *self.refusal = Some(refusal);
        E::custom("refused")
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut array: A) -> Result<(), A::Error> {
        self.enter()?;
        while array.next_element_seed(self.inner())?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        self.enter()?;
        let mut keys = Vec::new();
        while let Some(Key(key)) = object.next_key()? {
            keys.push(key);
            object.next_value_seed(self.inner())?;
        }
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(self.refuse(InvalidManifest::DuplicateKey(excerpt(&pair[0])))),
            None => Ok(()),
        }
    }
}

/// A key, borrowed from the document unless it is written with escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// A `T` read from a JSON object only: derived structs would take an array of their fields as well,
/// which no other reader of manifests does.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(object))
    }
}

/// Reads null as the default of `T`.
pub(super) fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads an object, or null for an empty one, and keeps the members whose value is a string.
pub(super) fn string_values<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let members: BTreeMap<String, Text> = null_as_default(deserializer)?;
    Ok(members.into_iter().filter_map(|(key, Text(value))| Some((key, value?))).collect())
}

/// A string; `None` for any other value, of which nothing is kept.
struct Text(Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Option<String>, E> {
        Ok(Some(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, array: A) -> Result<Option<String>, A::Error> {
        IgnoredAny.visit_seq(array).map(|_| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Option<String>, A::Error> {
        IgnoredAny.visit_map(object).map(|_| None)
    }
}
