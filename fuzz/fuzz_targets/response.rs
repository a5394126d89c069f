//! Everything that is no request: responses, metadata records, control records. Two bytes choose the message, one the
//! version.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::schema::MessageKind;
use protocol::{Message, Reader};

macro_rules! others {
    ($($module:ident::$message:ident),* $(,)?) => {
        const OTHERS: &[fn(Reader<'_>, u8)] = &[$(|reader, choice| {
            let schema = <protocol::messages::$module::$message as Message>::SCHEMA;
            if schema.kind == MessageKind::Request {
                return;
            }
            let versions = i32::from(schema.last_version - schema.first_version) + 1;
            let version = schema.first_version + (i32::from(choice) % versions) as i16;
            penstock_fuzz::survives!(protocol::messages::$module::$message, reader, version);
        }),*];
    };
}

protocol::for_each_message!(others);

fuzz_target!(|bytes: &[u8]| {
    let [high, low, choice, rest @ ..] = bytes else { return };
    let index = usize::from(u16::from_be_bytes([*high, *low])) % OTHERS.len();
    OTHERS[index](Reader::new(rest), *choice);
});
