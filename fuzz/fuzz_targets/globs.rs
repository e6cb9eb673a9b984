//! Patterns of repositories, and names: a list matches what one of its patterns does, and one without stars itself alone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use registry_core::Globs;

fuzz_target!(|input: (Vec<&str>, &str)| {
    let (patterns, name) = input;
    let Ok(globs) = Globs::new(patterns.iter().map(|pattern| (*pattern).to_owned())) else { return };
    let alone = |pattern: &&str| Globs::new([(*pattern).to_owned()]).expect("one of a good list");
    assert_eq!(globs.matches(name), patterns.iter().any(|pattern| alone(pattern).matches(name)));
    for pattern in patterns.iter().filter(|pattern| !pattern.contains('*')) {
        assert_eq!(alone(pattern).matches(name), *pattern == name);
    }
    // As a robot's row keeps them.
    let kept = globs.to_string();
    let read = Globs::new(kept.split(' ').filter(|pattern| !pattern.is_empty()).map(str::to_owned));
    assert_eq!(read, Ok(globs));
});
