//! Frames: four bytes of length, a header, a message.
//!
//! Decides which header version belongs to which API and version. Cutting frames out of a stream, and what to do with
//! an unknown key, is the connection's business.

use crate::messages::header;
use crate::{ApiKey, DecodeError, EncodeError, Message, Piece, Reader, Writer};

/// Who asks what: the header of a request, whichever header version it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// As received; may be no key of ours.
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
    pub client_id: Option<&'a str>,
}

/// Reads the header and leaves the reader at the message.
///
/// An unknown API key is read with the old header, which is a prefix of the new one: key and version can be reported.
pub fn decode_request_header<'a>(reader: &mut Reader<'a>) -> Result<RequestHeader<'a>, DecodeError> {
    let mut ahead = reader.clone();
    let api_key = i16::from_be_bytes(ahead.take_array()?);
    let api_version = i16::from_be_bytes(ahead.take_array()?);
    let header = header::RequestHeader::decode(reader, request_header_version(api_key, api_version))?;
    Ok(RequestHeader {
        api_key,
        api_version,
        correlation_id: header.correlation_id,
        client_id: header.client_id,
    })
}

/// Reads a response's header and returns its correlation id.
pub fn decode_response_header(
    reader: &mut Reader<'_>,
    api_key: impl Into<i16>,
    version: i16,
) -> Result<i32, DecodeError> {
    let header = header::ResponseHeader::decode(reader, response_header_version(api_key.into(), version))?;
    Ok(header.correlation_id)
}

/// Encodes a response with its length and header, ready to be sent.
pub fn encode_response<'a>(
    correlation_id: i32,
    api_key: impl Into<i16>,
    version: i16,
    message: &impl Message<'a>,
) -> Result<Vec<Piece>, EncodeError> {
    let mut writer = Writer::new();
    writer.put(&[0; 4]);
    let header_version = response_header_version(api_key.into(), version);
    header::ResponseHeader { correlation_id }.encode(&mut writer, header_version)?;
    message.encode(&mut writer, version)?;
    writer.set_frame_length()?;
    Ok(writer.finish())
}

/// Encodes a request with its length and header; `message` is written in the header's API version.
pub fn encode_request<'a>(
    header: RequestHeader<'_>,
    message: &impl Message<'a>,
) -> Result<Vec<Piece>, EncodeError> {
    let RequestHeader { api_key, api_version, correlation_id, client_id } = header;
    let mut writer = Writer::new();
    writer.put(&[0; 4]);
    let header = header::RequestHeader {
        request_api_key: api_key,
        request_api_version: api_version,
        correlation_id,
        client_id,
    };
    header.encode(&mut writer, request_header_version(api_key, api_version))?;
    message.encode(&mut writer, api_version)?;
    writer.set_frame_length()?;
    Ok(writer.finish())
}

fn is_flexible(api_key: i16, version: i16) -> bool {
    ApiKey::try_from(api_key).is_ok_and(|key| version >= key.flexible_from())
}

fn request_header_version(api_key: i16, version: i16) -> i16 {
    if is_flexible(api_key, version) { 2 } else { 1 }
}

/// ApiVersions always answers with header 0: its client does not know yet what the broker speaks.
///
/// Source: KIP-511.
fn response_header_version(api_key: i16, version: i16) -> i16 {
    i16::from(api_key != ApiKey::ApiVersions.key() && is_flexible(api_key, version))
}

#[cfg(test)]
mod tests;
