//! Shapes of JSON bodies, as small tables beside the handlers that read and write them.
//!
//! What is written in OpenAPI 3.1 and in Swagger 2.0 differs in three things: where definitions lie, how `null` is
//! allowed, and what has no type.

use serde_json::{Map, Value, json};

/// The shape of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Schema {
    /// A text.
    Text,
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// A boolean.
    Flag,
    /// Null.
    Null,
    /// An object of which nothing more is said.
    Open,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// The value, or null.
    OrNull(&'static Schema),
    /// A list of such values.
    List(&'static Schema),
    /// An object with any keys and such values.
    MapOf(&'static Schema),
    /// An object: the keys that are always there, and those that may be. Others may be, too.
    Object(Keys, Keys),
    /// A shape that is described once and named elsewhere.
    Named(&'static str, &'static Schema),
}

/// Keys of an object with the shapes of their values.
pub(super) type Keys = &'static [(&'static str, Schema)];

/// The language that a description is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// What Quay's generated clients read.
    Swagger2,
    /// OpenAPI 3.1, whose schemas are JSON Schema.
    OpenApi31,
}

impl Dialect {
    fn definitions(self) -> &'static str {
        match self {
            Self::Swagger2 => "#/definitions/",
            Self::OpenApi31 => "#/components/schemas/",
        }
    }
}

impl Schema {
    /// The schema as JSON; what it names is put among the definitions.
    pub(super) fn json(&self, dialect: Dialect, definitions: &mut Map<String, Value>) -> Value {
        match self {
            Self::Text => json!({ "type": "string" }),
            Self::Whole => json!({ "type": "integer" }),
            Self::Number => json!({ "type": "number" }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Null if dialect == Dialect::Swagger2 => json!({ "x-nullable": true }),
            Self::Null => json!({ "type": "null" }),
            Self::Open => json!({ "type": "object" }),
            Self::OneOf(texts) => json!({ "type": "string", "enum": texts }),
            Self::OrNull(inner) => or_null(inner.json(dialect, definitions), dialect),
            Self::List(inner) => json!({ "type": "array", "items": inner.json(dialect, definitions) }),
            Self::MapOf(inner) => {
                json!({ "type": "object", "additionalProperties": inner.json(dialect, definitions) })
            }
            Self::Object(always, sometimes) => object(always, sometimes, dialect, definitions),
            Self::Named(name, inner) => {
                if !definitions.contains_key(*name) {
                    let described = inner.json(dialect, definitions);
                    definitions.insert((*name).to_owned(), described);
                }
                json!({ "$ref": format!("{}{name}", dialect.definitions()) })
            }
        }
    }
}

fn or_null(mut schema: Value, dialect: Dialect) -> Value {
    match dialect {
        Dialect::Swagger2 => {
            schema["x-nullable"] = json!(true);
            schema
        }
        Dialect::OpenApi31 => json!({ "anyOf": [schema, { "type": "null" }] }),
    }
}

fn object(always: Keys, sometimes: Keys, dialect: Dialect, definitions: &mut Map<String, Value>) -> Value {
    let properties: Map<String, Value> = always
        .iter()
        .chain(sometimes)
        .map(|(key, schema)| ((*key).to_owned(), schema.json(dialect, definitions)))
        .collect();
    let mut object = json!({ "type": "object", "properties": properties });
    if !always.is_empty() {
        object["required"] = always.iter().map(|(key, _)| *key).collect();
    }
    object
}

/// A picture of somebody.
pub(super) const AVATAR: Schema = Schema::Named(
    "Avatar",
    &Schema::Object(
        &[
            ("name", Schema::Text),
            ("hash", Schema::Text),
            ("color", Schema::Text),
            ("kind", Schema::OneOf(&["user", "robot", "org", "team", "app"])),
        ],
        &[],
    ),
);

/// A refusal: the keys are those of Quay's `problem` shape, of its `plain` one, or of the CSRF token's.
pub(super) const REFUSAL: Schema = Schema::Named(
    "ApiError",
    &Schema::Object(
        &[],
        &[
            ("status", Schema::Whole),
            ("type", Schema::Text),
            ("title", Schema::Text),
            ("detail", Schema::Text),
            ("error_message", Schema::Text),
            ("error_type", Schema::Text),
            ("message", Schema::Text),
            ("error", Schema::Text),
        ],
    ),
);

/// What Quay says of a change that went well.
pub(super) const SUCCESS: Schema =
    Schema::Named("Success", &Schema::Object(&[("success", Schema::Flag)], &[]));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialects_differ_in_references_and_in_null() {
        const PERSON: Schema =
            Schema::Object(&[("name", Schema::Text)], &[("picture", Schema::OrNull(&AVATAR))]);
        let written = |dialect| {
            let mut definitions = Map::new();
            let schema = PERSON.json(dialect, &mut definitions);
            assert_eq!(definitions["Avatar"]["required"], json!(["name", "hash", "color", "kind"]));
            schema
        };
        let object = |picture: Value| {
            let properties = json!({ "name": { "type": "string" }, "picture": picture });
            json!({ "type": "object", "required": ["name"], "properties": properties })
        };
        let old = json!({ "$ref": "#/definitions/Avatar", "x-nullable": true });
        assert_eq!(written(Dialect::Swagger2), object(old));
        let new = json!({ "anyOf": [{ "$ref": "#/components/schemas/Avatar" }, { "type": "null" }] });
        assert_eq!(written(Dialect::OpenApi31), object(new));
    }
}
