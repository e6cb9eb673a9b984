//! Durations and sizes as Quay writes them.

/// Reads a duration such as `2w` or `90s` as milliseconds: a whole number and one of `s m h d w y`.
pub(super) fn duration_ms(text: &str) -> Option<u64> {
    let unit = text.chars().next_back()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        'w' => 7 * 24 * 3600,
        'y' => 365 * 24 * 3600,
        _ => return None,
    };
    number(&text[..text.len() - unit.len_utf8()])?.checked_mul(seconds * 1000)
}

/// Reads a size such as `20G`, `500M` or `1048576` as bytes; units are powers of 1024, with or without `B` or `iB`.
pub(super) fn size_bytes(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let factor = match text[digits..].to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return None,
    };
    number(&text[..digits])?.checked_mul(factor)
}

fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(duration_ms("0s"), Some(0));
        assert_eq!(duration_ms("90s"), Some(90_000));
        assert_eq!(duration_ms("2w"), Some(14 * 24 * 3600 * 1000));
        for wrong in ["", "w", "2", "-2w", "2 w", "2W", "1.5h", "99999999999999999999y", "2é"] {
            assert_eq!(duration_ms(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(size_bytes("20G"), Some(20 << 30));
        assert_eq!(size_bytes("500MiB"), Some(500 << 20));
        assert_eq!(size_bytes("1048576"), Some(1 << 20));
        assert_eq!(size_bytes("4KB"), Some(4096));
        for wrong in ["", "G", "-1G", "1.5G", "20 G", "20X", "99999999999999999999"] {
            assert_eq!(size_bytes(wrong), None, "{wrong}");
        }
    }
}
