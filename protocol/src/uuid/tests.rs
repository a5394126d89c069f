//! UUIDs as text.

use super::*;

#[test]
fn text_is_url_safe_base64_without_padding() {
    let check = |bytes: [u8; 16], text: &str| {
        assert_eq!(Uuid(bytes).to_string(), text);
        assert_eq!(text.parse(), Ok(Uuid(bytes)));
        assert_eq!(format!("{text}==").parse(), Ok(Uuid(bytes)));
    };
    check([0; 16], "AAAAAAAAAAAAAAAAAAAAAA");
    check([0xff; 16], "_____________________w");
    // Kafka's id of the metadata topic: 0 and 1 as two 64-bit halves.
    check([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "AAAAAAAAAAAAAAAAAAAAAQ");
    check(*b"0123456789abcdef", "MDEyMzQ1Njc4OWFiY2RlZg");
    check([0xfb; 16], "-_v7-_v7-_v7-_v7-_v7-w");
}

#[test]
fn other_text_is_refused() {
    for text in [
        "",
        "AAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAA+",
        "äAAAAAAAAAAAAAAAAAAAA",
    ] {
        assert_eq!(text.parse::<Uuid>(), Err(ParseUuidError), "{text}");
    }
}
