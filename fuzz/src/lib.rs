//! What every decoded message must survive.

/// Decodes a message and, if that works, encodes it, decodes that, and compares.
///
/// Encoding may refuse nothing: what a version can say, it can say again. Two NaN are different, so it is the bytes
/// that are compared.
#[macro_export]
macro_rules! survives {
    ($message:ty, $reader:expr, $version:expr) => {{
        use protocol::Message;
        let (mut reader, version) = ($reader, $version);
        if let Ok(message) = <$message>::decode(&mut reader, version) {
            let first = $crate::encode(&message, version);
            let mut again = protocol::Reader::new(&first);
            let message = <$message>::decode(&mut again, version).expect("what was encoded decodes");
            assert_eq!(again.remaining(), 0);
            assert_eq!($crate::encode(&message, version), first);
        }
    }};
}

pub fn encode<'a>(message: &impl protocol::Message<'a>, version: i16) -> Vec<u8> {
    let mut writer = protocol::Writer::new();
    message.encode(&mut writer, version).expect("what was decoded encodes");
    let pieces = writer.finish().into_iter().map(|piece| match piece {
        protocol::Piece::Bytes(bytes) => bytes,
        protocol::Piece::File(_) => unreachable!("decoding makes no file pieces"),
    });
    pieces.collect::<Vec<_>>().concat()
}
