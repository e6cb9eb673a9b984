//! Where the data lies.

use std::path::PathBuf;

use super::ConfigError;
use super::document::{Document, Value};

/// `DISTRIBUTED_STORAGE_CONFIG` names locations; the one preferred, or the only one, must be a directory.
pub(super) fn storage_path(document: &mut Document) -> Result<Option<PathBuf>, ConfigError> {
    const KEY: &str = "DISTRIBUTED_STORAGE_CONFIG";
    let preferred = document.texts("DISTRIBUTED_STORAGE_PREFERENCE")?.into_iter().next();
    let Some((line, value)) = document.take(KEY) else { return Ok(None) };
    let Value::Map(locations) = value else {
        return Err(document.wrong(line, KEY, "a map of locations", &value.to_string()));
    };
    let location = match &preferred {
        Some((_, name)) => locations.iter().find(|(location, _, _)| location == name),
        None if locations.len() > 1 => {
            let expected = "one location, or DISTRIBUTED_STORAGE_PREFERENCE to choose among them";
            return Err(document.wrong(line, KEY, expected, &format!("{} locations", locations.len())));
        }
        None => locations.first(),
    };
    let Some((name, line, location)) = location else {
        let found = preferred.map_or("none".to_owned(), |(_, name)| format!("no location {name}"));
        return Err(document.wrong(line, KEY, "a location", &found));
    };
    local_path(location).map(Some).map_err(|found| {
        document.wrong(*line, KEY, &format!("{name}: [LocalStorage, {{storage_path: DIRECTORY}}]"), &found)
    })
}

/// The path in `[LocalStorage, {storage_path: …}]`, or what was found in its place.
fn local_path(location: &Value) -> Result<PathBuf, String> {
    let Value::List(parts) = location else { return Err(location.to_string()) };
    match parts.as_slice() {
        [(_, Value::Text(engine)), (_, Value::Map(parameters))] if engine == "LocalStorage" => {
            let path = parameters.iter().find(|(name, _, _)| name == "storage_path");
            match path {
                Some((_, _, Value::Text(path))) => Ok(PathBuf::from(path)),
                Some((_, _, other)) => Err(format!("storage_path {other}")),
                None => Err("no storage_path".to_owned()),
            }
        }
        [(_, Value::Text(engine)), ..] => Err(format!("engine {engine}")),
        _ => Err(location.to_string()),
    }
}
