//! A frame as it comes from a socket: header, then the request of whatever API and version the header names.
//!
//! Whatever decodes must also encode again, which walks every array to its end, and then decode to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::frame::decode_request_header;
use protocol::schema::MessageKind;
use protocol::{Message, Reader};

macro_rules! requests {
    ($($module:ident::$message:ident),* $(,)?) => {
        fn request(key: i16, version: i16, reader: &Reader<'_>) {
            $({
                let schema = <protocol::messages::$module::$message as Message>::SCHEMA;
                if schema.kind == MessageKind::Request && schema.key == Some(key) {
                    penstock_fuzz::survives!(protocol::messages::$module::$message, reader.clone(), version);
                }
            })*
        }
    };
}

protocol::for_each_message!(requests);

fuzz_target!(|bytes: &[u8]| {
    let mut reader = Reader::new(bytes);
    if let Ok(header) = decode_request_header(&mut reader) {
        request(header.api_key, header.api_version, &reader);
    }
});
