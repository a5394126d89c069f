//! One connection for questions outside the load: asks, waits, reads. Everything here has a time limit.
//!
//! Decides which versions are spoken and how an address that is no broker is told from one that is away.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};

use core::time::Duration;

use protocol::frame::{RequestHeader, decode_response_header, encode_request};
use protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use protocol::{ApiKey, DecodeError, ErrorCode, Message, Piece, Reader};

use crate::error::LoadError;

pub const CLIENT_ID: &str = "penstock-load";
pub const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The first question is easy, and an address that is no broker's may say nothing at all.
const FIRST_ANSWER_WITHIN: Duration = Duration::from_secs(10);
const ANSWER_WITHIN: Duration = Duration::from_secs(35);
const ANSWER_BYTES_MAX: usize = 100 << 20;
const NOT_KAFKA: &str = "is it the address of a Kafka broker's PLAINTEXT listener?";

/// First and last version of each API that a broker offers.
#[derive(Clone, Debug, Default)]
pub struct Versions(BTreeMap<i16, (i16, i16)>);

impl Versions {
    #[must_use]
    pub fn offered(&self, api: ApiKey) -> Option<(i16, i16)> {
        self.0.get(&api.key()).copied()
    }

    /// The newest version that the broker and we speak; ours are `first` to `last`.
    pub fn choose(&self, api: ApiKey, first: i16, last: i16) -> Result<i16, LoadError> {
        let Some(offered) = self.offered(api) else {
            return Err(LoadError::failed(format!("the broker does not offer {}", api.name()), NOT_KAFKA));
        };
        let newest = last.min(offered.1);
        if newest < first.max(offered.0) {
            return Err(LoadError::failed(
                format!(
                    "the broker offers {} {} to {}, and this speaks {first} to {last}",
                    api.name(),
                    offered.0,
                    offered.1
                ),
                "",
            ));
        }
        Ok(newest)
    }
}

pub struct Control {
    stream: TcpStream,
    address: String,
    peer: SocketAddr,
    versions: Versions,
    correlation_id: i32,
}

/// An answer's bytes after its header.
pub struct Answer {
    bytes: Vec<u8>,
    api: ApiKey,
    version: i16,
}

impl Answer {
    pub fn read<'a, M: Message<'a>>(&'a self) -> Result<M, LoadError> {
        let mut reader = Reader::new(&self.bytes);
        decode_response_header(&mut reader, self.api, self.version)
            .and_then(|_| M::decode(&mut reader, self.version))
            .map_err(|error| unreadable(self.api, self.version, error))
    }
}

impl Control {
    /// Connects to `address` (host:port) and asks for the versions that it speaks.
    pub fn connect(address: &str) -> Result<Control, LoadError> {
        let peer = resolve(address)?;
        let stream = TcpStream::connect_timeout(&peer, CONNECT_WITHIN).map_err(|error| {
            LoadError::failed(
                format!("cannot connect to {address}: {error}"),
                "is the broker running, and is this its address?",
            )
        })?;
        let set = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(FIRST_ANSWER_WITHIN)))
            .and_then(|()| stream.set_write_timeout(Some(ANSWER_WITHIN)));
        set.map_err(|error| LoadError::failed(format!("cannot set up a connection: {error}"), ""))?;
        let mut control = Control {
            stream,
            address: address.to_owned(),
            peer,
            versions: Versions::default(),
            correlation_id: 0,
        };
        control.versions = control.ask_for_versions()?;
        control
            .stream
            .set_read_timeout(Some(ANSWER_WITHIN))
            .map_err(|error| LoadError::failed(format!("cannot set up a connection: {error}"), ""))?;
        Ok(control)
    }

    #[must_use]
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Version 0 is what every broker answers.
    fn ask_for_versions(&mut self) -> Result<Versions, LoadError> {
        let answer = self.call(ApiKey::ApiVersions, 0, &versions_request())?;
        let message: ApiVersionsResponse<'_> = answer.read()?;
        if message.error_code != ErrorCode::NONE.code() {
            return Err(refused(ApiKey::ApiVersions, message.error_code, NOT_KAFKA));
        }
        let versions = message.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version)));
        Ok(Versions(versions.collect()))
    }

    pub fn call<'a>(
        &mut self,
        api: ApiKey,
        version: i16,
        message: &impl Message<'a>,
    ) -> Result<Answer, LoadError> {
        self.correlation_id += 1;
        let bytes = request_bytes(api, version, self.correlation_id, message)?;
        let lost = |error: std::io::Error| {
            let what = match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => "did not answer".to_owned(),
                ErrorKind::UnexpectedEof => "closed the connection".to_owned(),
                _ => format!("broke the connection ({error})"),
            };
            LoadError::failed(
                format!("{} {what} when it was asked for {}", self.address, api.name()),
                NOT_KAFKA,
            )
        };
        self.stream.write_all(&bytes).map_err(lost)?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).map_err(lost)?;
        let length =
            usize::try_from(i32::from_be_bytes(length)).ok().filter(|bytes| *bytes <= ANSWER_BYTES_MAX);
        let Some(length) = length else {
            return Err(LoadError::failed(
                format!("{} does not answer as Kafka brokers do", self.address),
                NOT_KAFKA,
            ));
        };
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).map_err(lost)?;
        let correlation_id = decode_response_header(&mut Reader::new(&bytes), api, version)
            .map_err(|error| unreadable(api, version, error))?;
        if correlation_id != self.correlation_id {
            return Err(LoadError::failed(
                format!("{} does not answer as Kafka brokers do", self.address),
                NOT_KAFKA,
            ));
        }
        Ok(Answer { bytes, api, version })
    }
}

#[must_use]
pub fn versions_request() -> ApiVersionsRequest<'static> {
    ApiVersionsRequest {
        client_software_name: "",
        client_software_version: "",
        cluster_id: None,
        node_id: -1,
    }
}

/// A whole request, its length in front.
pub fn request_bytes<'a>(
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    message: &impl Message<'a>,
) -> Result<Vec<u8>, LoadError> {
    let header = RequestHeader {
        api_key: api.key(),
        api_version: version,
        correlation_id,
        client_id: Some(CLIENT_ID),
    };
    let pieces = encode_request(header, message)
        .map_err(|error| LoadError::failed(format!("{} cannot be asked: {error}", api.name()), ""))?;
    let mut bytes = Vec::new();
    for piece in pieces {
        if let Piece::Bytes(part) = piece {
            bytes.extend_from_slice(&part);
        }
    }
    Ok(bytes)
}

pub fn resolve(address: &str) -> Result<SocketAddr, LoadError> {
    let found = address.to_socket_addrs().map_err(|error| {
        LoadError::failed(format!("{address} is no address: {error}"), "give it as host:port")
    })?;
    let mut all: Vec<SocketAddr> = found.collect();
    all.sort_by_key(|address| !address.is_ipv4());
    all.first()
        .copied()
        .ok_or_else(|| LoadError::failed(format!("{address} has no address"), "give it as host:port"))
}

/// The broker said no, by its error code.
#[must_use]
pub fn refused(api: ApiKey, code: i16, fix: &str) -> LoadError {
    let name = error_name(code);
    LoadError::failed(format!("the broker refuses {}: {name}", api.name()), fix)
}

#[must_use]
pub fn error_name(code: i16) -> String {
    ErrorCode::try_from(code)
        .map_or_else(|unknown| format!("error {}", unknown.0), |code| code.name().to_owned())
}

fn unreadable(api: ApiKey, version: i16, error: DecodeError) -> LoadError {
    LoadError::failed(format!("the answer to {} {version} cannot be read: {error}", api.name()), NOT_KAFKA)
}
