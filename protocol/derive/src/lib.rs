//! `#[derive(Message)]` and `#[derive(Struct)]`: the codec of a Kafka message from its declaration.
//!
//! A message is a plain struct whose fields carry their Kafka schema in `#[kafka(...)]`; see `docs/PROTOCOL.md`
//! for the notation. This crate decides which code that becomes: one expression per field that calls the
//! generic functions of `protocol::wire`, so a declaration costs little to compile. It knows nothing of
//! bytes; how a type looks on the wire is decided by its `Wire` implementation.

mod declaration;
mod expand;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Derives the codec of a whole message: `#[kafka(name = "...", api = 1, versions = "4-18", flexible = "12+")]`.
#[proc_macro_derive(Message, attributes(kafka))]
pub fn derive_message(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::message(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Derives the codec of a struct inside a message.
#[proc_macro_derive(Struct, attributes(kafka))]
pub fn derive_struct(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::nested(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}
