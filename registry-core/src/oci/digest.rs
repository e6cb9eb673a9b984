//! Digests: the name of content by its hash (OCI image-spec, descriptor, "Digests").

mod hasher;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::excerpt;

pub use hasher::Hasher;

/// A hash algorithm that content may be named with: the two that the image-spec registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256, what nearly all clients use.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// Every algorithm, in ascending order.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// The name as it stands before the colon of a digest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The length of its raw hash, in bytes.
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = InvalidDigest;

    fn from_str(name: &str) -> Result<Self, InvalidDigest> {
        let known = Self::ALL.into_iter().find(|algorithm| algorithm.name() == name);
        known.ok_or_else(|| match is_algorithm_name(name) {
            true => InvalidDigest::UnsupportedAlgorithm(excerpt(name)),
            false => InvalidDigest::Malformed(excerpt(name)),
        })
    }
}

/// Why a text is no digest. The text is repeated, cut to a few hundred bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDigest {
    /// Not `algorithm:encoded`, or not the lower-case hexadecimal that its algorithm asks for.
    #[error("digest {0:?} is malformed")]
    Malformed(String),
    /// Well-formed, but under an algorithm that is not supported here.
    #[error("digest algorithm {0:?} is not supported, only sha256 and sha512 are")]
    UnsupportedAlgorithm(String),
}

/// The name of content: an algorithm and the hash of the bytes.
///
/// Prints as `sha256:<64 lower-case hexadecimal digits>` or `sha512:<128>`; the same content has
/// one digest under each algorithm, and these are different digests. Ordered by algorithm, then hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    /// Zero beyond the algorithm's length, so that the derived comparisons hold.
    bytes: [u8; 64],
}

impl Digest {
    /// The digest of `content`.
    pub fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(content);
        hasher.finish()
    }

    /// The digest with this raw hash; `None` if `raw` is not as long as the algorithm's hash.
    pub fn from_raw(algorithm: Algorithm, raw: &[u8]) -> Option<Self> {
        if raw.len() != algorithm.digest_len() {
            return None;
        }
        let mut bytes = [0; 64];
        bytes[..raw.len()].copy_from_slice(raw);
        Some(Self { algorithm, bytes })
    }

    /// The algorithm of this digest.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The raw hash: 32 bytes for sha256, 64 for sha512.
    pub fn raw(&self) -> &[u8] {
        &self.bytes[..self.algorithm.digest_len()]
    }

    /// The hash in lower-case hexadecimal, without the algorithm.
    pub fn hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let nibbles = self.raw().iter().flat_map(|byte| [byte >> 4, byte & 15]);
        nibbles.map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    /// Parses `algorithm:hex`. Upper-case hexadecimal is refused: the image-spec forbids it, and
    /// accepting it would give one content two names.
    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let malformed = || InvalidDigest::Malformed(excerpt(text));
        let (algorithm, encoded) = text.split_once(':').ok_or_else(malformed)?;
        if !is_algorithm_name(algorithm) || !is_encoded(encoded) {
            return Err(malformed());
        }
        let algorithm: Algorithm = algorithm.parse()?;
        if encoded.len() != 2 * algorithm.digest_len() {
            return Err(malformed());
        }
        let mut bytes = [0; 64];
        for (byte, pair) in bytes.iter_mut().zip(encoded.as_bytes().as_chunks::<2>().0) {
            let [high, low] = pair.map(hex_value);
            *byte = high.ok_or_else(malformed)? << 4 | low.ok_or_else(malformed)?;
        }
        Ok(Self { algorithm, bytes })
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// `algorithm` of the image-spec's grammar: components of `[a-z0-9]+`, joined by one of `+._-`.
fn is_algorithm_name(text: &str) -> bool {
    let is_component =
        |part: &str| !part.is_empty() && part.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9'));
    text.split(['+', '.', '_', '-']).all(is_component)
}

/// `encoded` of the image-spec's grammar, as algorithms not known here may write it.
fn is_encoded(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'=' | b'_' | b'-'))
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EMPTY_SHA256: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const EMPTY_SHA512: &str = "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
                                47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";

    #[test]
    fn known_content_has_its_published_digest() {
        assert_eq!(Digest::of(Algorithm::Sha256, b"").to_string(), EMPTY_SHA256);
        assert_eq!(Digest::of(Algorithm::Sha512, b"").to_string(), EMPTY_SHA512);
        let empty_json = Digest::of(Algorithm::Sha256, b"{}");
        assert_eq!(
            format!("{empty_json:?}"),
            "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
    }

    #[test]
    fn malformed_digests_are_refused() {
        let upper = EMPTY_SHA256.to_uppercase().replace("SHA", "sha");
        let (short, long) = (&EMPTY_SHA256[..70], format!("{EMPTY_SHA256}0"));
        let wrong_length = EMPTY_SHA256.replace("256", "512");
        let not_hex = EMPTY_SHA256.replace('e', "g");
        let spaced = format!(" {EMPTY_SHA256}");
        let wide = format!("sha256:{}", "é".repeat(32));
        let texts = [
            "",
            ":",
            "sha256",
            "sha256:",
            ":abc",
            "sha256:baddigeststring",
            "SHA256:00",
            "sha256:a:b",
            "a..b:00",
            "-a:00",
            "sha256:../../etc/passwd",
            "sha999:a b",
            &upper,
            short,
            &long,
            &wrong_length,
            &not_hex,
            &spaced,
            &wide,
        ];
        for text in texts {
            assert_eq!(text.parse::<Digest>(), Err(InvalidDigest::Malformed(text.to_owned())));
        }
    }

    #[test]
    fn an_unknown_algorithm_is_told_apart_from_a_malformed_digest() {
        for (text, name) in
            [("md5:d41d8cd98f00b204e9800998ecf8427e", "md5"), ("a+b.c_d-e:Zz09=_-", "a+b.c_d-e")]
        {
            assert_eq!(text.parse::<Digest>(), Err(InvalidDigest::UnsupportedAlgorithm(name.to_owned())));
        }
        assert_eq!("sha512".parse(), Ok(Algorithm::Sha512));
        assert!(matches!("sha384".parse::<Algorithm>(), Err(InvalidDigest::UnsupportedAlgorithm(_))));
        assert!(matches!("".parse::<Algorithm>(), Err(InvalidDigest::Malformed(_))));
    }

    #[test]
    fn a_raw_hash_of_another_length_is_no_digest() {
        assert_eq!(Digest::from_raw(Algorithm::Sha256, &[0; 64]), None);
        assert_eq!(Digest::from_raw(Algorithm::Sha512, &[0; 32]), None);
        assert_eq!(Digest::from_raw(Algorithm::Sha256, &[]), None);
    }

    #[test]
    fn an_error_message_stays_small_whatever_was_sent() {
        let error = "x".repeat(1 << 20).parse::<Digest>().unwrap_err();
        assert!(error.to_string().len() < 300);
    }

    proptest! {
        #[test]
        fn text_and_raw_form_round_trip(content: Vec<u8>) {
            for algorithm in Algorithm::ALL {
                let digest = Digest::of(algorithm, &content);
                prop_assert_eq!(digest.to_string().parse(), Ok(digest));
                prop_assert_eq!(Digest::from_raw(algorithm, digest.raw()), Some(digest));
            }
        }

        #[test]
        fn any_text_is_a_digest_that_prints_the_same_or_an_error(text in "\\PC*|(sha256|sha512|[a-z.]{1,5}):[0-9a-fA-F]*") {
            if let Ok(digest) = text.parse::<Digest>() {
                prop_assert_eq!(digest.to_string(), text);
            }
        }
    }
}
