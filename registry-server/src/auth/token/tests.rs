use proptest::prelude::*;
use registry_core::{Globs, Job, TokenId};

use super::*;
use crate::wire::scope::MAX_SCOPES;

const NOW: u64 = 1_800_000_000;
const SERVICE: &str = "registry.test";
const DEV: Subject = Subject::Principal(Principal { id: PrincipalId(7), generation: 3 });

fn key() -> TokenKey {
    TokenKey::new([1; 32])
}

fn claims() -> Claims {
    let asked = Scopes::parse(["repository:a/b:pull,push repository:c:delete registry:catalog:*"]);
    Claims::new(DEV, asked, SERVICE, NOW)
}

fn verify(token: &str) -> Result<Claims, TokenError> {
    key().verify(token, SERVICE, NOW)
}

/// A token with this header and payload, signed with the right key.
fn signed(header: &str, payload: &str) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = key().0.chain_update(&text).finalize().into_bytes();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a_token_says_what_it_was_issued_for() {
    assert_eq!(verify(&key().issue(&claims())), Ok(claims()));
    let anonymous = Claims::new(Subject::Anonymous, Scopes::default(), SERVICE, NOW);
    assert_eq!(verify(&key().issue(&anonymous)), Ok(anonymous));
    let any = Claims::new(DEV, Scopes { any: true, ..Scopes::default() }, SERVICE, NOW);
    assert_eq!(verify(&key().issue(&any)), Ok(any));
}

#[test]
fn a_token_is_a_jwt_under_hs256() {
    let token = key().issue(&claims());
    let parts: Vec<Vec<u8>> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
    assert_eq!(parts[0], br#"{"alg":"HS256","typ":"JWT"}"#);
    let payload: serde_json::Value = serde_json::from_slice(&parts[1]).unwrap();
    assert_eq!(
        payload,
        serde_json::json!({
            "aud": "registry.test", "iat": NOW, "exp": NOW + 3600,
            "principal": {"id": 7, "generation": 3},
            "asked": {"repositories": {"a/b": "pull,push", "c": "delete"}, "catalog": true, "any": false},
        })
    );
    assert_eq!((parts.len(), parts[2].len()), (3, 32));
}

/// Computed with Python's `hmac` and `hashlib`.
#[test]
fn a_token_is_what_another_implementation_makes_of_the_claims() {
    let token = concat!(
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.",
        "eyJhdWQiOiJyZWdpc3RyeS50ZXN0IiwiaWF0IjoxODAwMDAwMDAwLCJleHAiOjE4MDAwMDM2MDAsImFza2VkIjp7InJlcG9zaXRvcmllcyI6",
        "e30sImNhdGFsb2ciOmZhbHNlLCJhbnkiOmZhbHNlfX0.",
        "mr_nKT-aRlSf3LjN-t-Zd_DF6sZp-bG_hO-yCECbbF8",
    );
    let anonymous = Claims::new(Subject::Anonymous, Scopes::default(), SERVICE, NOW);
    assert_eq!(key().issue(&anonymous), token);
}

#[test]
fn a_token_ends_an_hour_after_its_issue() {
    let token = key().issue(&claims());
    let end = NOW + LIFETIME_SECONDS;
    for (now, expected) in [
        (0, Err(TokenError::NotYetValid)),
        (NOW - LEEWAY_SECONDS - 1, Err(TokenError::NotYetValid)),
        (NOW - LEEWAY_SECONDS, Ok(())),
        (end - 1, Ok(())),
        (end + LEEWAY_SECONDS - 1, Ok(())),
        (end + LEEWAY_SECONDS, Err(TokenError::Expired)),
        (u64::MAX, Err(TokenError::Expired)),
    ] {
        assert_eq!(key().verify(&token, SERVICE, now).map(drop), expected, "{now}");
    }
}

#[test]
fn a_token_of_another_key_or_for_another_service_is_refused() {
    let token = key().issue(&claims());
    assert_eq!(TokenKey::new([2; 32]).verify(&token, SERVICE, NOW), Err(TokenError::BadSignature));
    assert_eq!(key().verify(&token, "elsewhere.test", NOW), Err(TokenError::OtherService));
    assert_eq!(key().verify(&token, "", NOW), Err(TokenError::OtherService));
}

#[test]
fn a_change_of_any_character_is_refused() {
    let token = key().issue(&claims());
    for at in 0..token.len() {
        for replacement in ["A", "B", ".", "=", " ", ""] {
            let mut changed = token.clone();
            changed.replace_range(at..=at, replacement);
            assert!(changed == token || verify(&changed).is_err(), "{at} {replacement}");
        }
    }
}

#[test]
fn a_part_of_the_signature_is_not_enough() {
    let token = key().issue(&claims());
    let (text, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    for length in 0..signature.len() {
        let cut = format!("{text}.{}", URL_SAFE_NO_PAD.encode(&signature[..length]));
        assert_eq!(verify(&cut), Err(TokenError::BadSignature), "{length} bytes");
    }
}

#[test]
fn parts_of_two_tokens_do_not_make_a_third() {
    let mine = key().issue(&Claims { subject: Subject::Anonymous, ..claims() });
    let theirs = key().issue(&claims());
    let (my_text, my_signature) = mine.rsplit_once('.').unwrap();
    let (their_text, their_signature) = theirs.rsplit_once('.').unwrap();
    assert_eq!(verify(&format!("{their_text}.{my_signature}")), Err(TokenError::BadSignature));
    assert_eq!(verify(&format!("{my_text}.{their_signature}")), Err(TokenError::BadSignature));
}

#[test]
fn the_algorithm_is_never_taken_from_the_token() {
    let good =
        String::from_utf8(URL_SAFE_NO_PAD.decode(key().issue(&claims()).split('.').nth(1).unwrap()).unwrap());
    let good = good.unwrap();
    assert_eq!(verify(&signed(r#"{"alg":"HS256","typ":"JWT"}"#, &good)), Ok(claims()));
    for header in
        [r#"{"alg":"none"}"#, r#"{"alg":"HS512","typ":"JWT"}"#, r#"{"typ":"JWT","alg":"HS256"}"#, "{}", ""]
    {
        assert_eq!(verify(&signed(header, &good)), Err(TokenError::Malformed), "{header}");
    }
}

#[test]
fn what_is_signed_but_not_understood_is_refused() {
    let header = r#"{"alg":"HS256","typ":"JWT"}"#;
    let deep = "[".repeat(20_000);
    for payload in ["", "{}", "null", "[]", &deep, r#"{"aud":"registry.test","iat":-1,"exp":1}"#] {
        assert_eq!(verify(&signed(header, payload)), Err(TokenError::Malformed), "{payload:.40}");
    }
}

#[test]
fn what_is_no_token_is_refused() {
    let unsigned = format!("{HEADER}e30.");
    for token in ["", ".", "..", "...", "a.b.c", HEADER, "é.ö.ü", &unsigned[..unsigned.len() - 1]] {
        assert_eq!(verify(token), Err(TokenError::Malformed), "{token}");
    }
    assert_eq!(verify(&unsigned), Err(TokenError::BadSignature));
    let long = format!("{HEADER}{}.AA", "A".repeat(MAX_BEARER_BYTES));
    assert_eq!(verify(&long), Err(TokenError::Malformed));
}

#[test]
fn a_list_too_long_for_a_token_that_is_read_becomes_any() {
    let scope = |n: usize| format!("repository:{}{n:03}:pull,push", "n".repeat(252));
    let values: Vec<String> = (0..MAX_SCOPES).map(scope).collect();
    let asked = Scopes::parse(values.iter().map(String::as_str).chain(["registry:catalog:*"]));
    assert!(!asked.any);
    let token = key().issue(&Claims::new(DEV, asked, SERVICE, NOW));
    assert!(token.len() <= MAX_BEARER_BYTES);
    let expected = Scopes { repositories: BTreeMap::new(), catalog: true, any: true };
    assert_eq!(verify(&token), Ok(Claims::new(DEV, expected, SERVICE, NOW)));
}

#[test]
fn a_key_is_not_printed() {
    assert_eq!(format!("{:?}", key()), "TokenKey(***)");
}

fn any_claims() -> impl Strategy<Value = Claims> {
    let subject = prop_oneof![
        Just(Subject::Anonymous),
        any::<(u64, u64)>()
            .prop_map(|(id, generation)| Subject::Principal(Principal { id: PrincipalId(id), generation })),
    ];
    let scopes =
        prop::collection::vec("repository:[^ :]{1,9}:(pull|push|delete|\\*)|registry:catalog:\\*", 0..9);
    (subject, scopes, ".*", any::<u32>()).prop_map(|(subject, scopes, service, now)| {
        Claims::new(subject, Scopes::parse(scopes.iter().map(String::as_str)), service, now.into())
    })
}

proptest! {
    #[test]
    fn any_claims_survive_the_token(claims in any_claims()) {
        let token = key().issue(&claims);
        prop_assert_eq!(key().verify(&token, &claims.service, claims.issued_at), Ok(claims));
    }

    #[test]
    fn any_text_is_refused(text in ".*|[A-Za-z0-9_-]*\\.[A-Za-z0-9_-]*\\.[A-Za-z0-9_-]*") {
        prop_assert!(verify(&text).is_err());
        let with_header = format!("{HEADER}{text}");
        prop_assert!(verify(&with_header).is_err());
    }

    #[test]
    fn any_signed_text_is_read_or_refused(payload in ".*|[\\[\\]{}\",:a-z0-9]*") {
        prop_assert_eq!(verify(&signed(r#"{"alg":"HS256","typ":"JWT"}"#, &payload)), Err(TokenError::Malformed));
    }
}

#[test]
fn a_token_names_the_credential_that_it_was_asked_for_with() {
    let principal = Principal { id: PrincipalId(7), generation: 3 };
    let id = TokenId::from_random([5; 16]);
    let repositories = Globs::new(["acme/app-*".to_owned(), "lib/**".to_owned()]).unwrap();
    let job = Credential::Job(Arc::new(Job { id, repositories, pushes: true }));
    for credential in [Credential::AccessToken(id), Credential::AppToken(id), job] {
        for is_robot in [false, true] {
            let subject = Subject::Narrowed(principal, credential.clone());
            let claims = Claims { is_robot, ..Claims::new(subject, Scopes::default(), SERVICE, NOW) };
            assert_eq!(verify(&key().issue(&claims)), Ok(claims));
        }
    }
}

#[test]
fn what_narrows_in_a_way_that_is_not_understood_is_refused() {
    let id = TokenId::from_random([5; 16]);
    for narrowing in [
        format!(r#""access_token":"{id}","app_token":"{id}""#),
        r#""access_token":"x""#.to_owned(),
        r#""access_token":7"#.to_owned(),
        r#""later":true"#.to_owned(),
        format!(r#""job":{{"id":"{id}","repositories":["no pattern"],"pushes":true}}"#),
        format!(r#""job":{{"id":"{id}","repositories":[]}}"#),
    ] {
        let payload = format!(
            r#"{{"aud":"{SERVICE}","iat":{NOW},"exp":{NOW},"principal":{{"id":7,"generation":3,{narrowing}}},"asked":{{"repositories":{{}},"catalog":false,"any":true}}}}"#
        );
        let token = signed(r#"{"alg":"HS256","typ":"JWT"}"#, &payload);
        assert_eq!(verify(&token), Err(TokenError::Malformed), "{narrowing}");
    }
}
