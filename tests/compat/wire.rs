//! A client of one connection and our own codec: it sends what it is told, when it is told, and repairs nothing.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use protocol::frame::{RequestHeader, decode_response_header, encode_request};
use protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::{ApiKey, Array, Message, Piece, Reader};

/// For what takes milliseconds: only a broker that will never answer lets it pass.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Wire {
    stream: TcpStream,
    correlation_id: i32,
}

/// One answer: its bytes, to be decoded by who knows what was asked.
pub struct Answer {
    bytes: Vec<u8>,
    api_key: ApiKey,
    version: i16,
    pub correlation_id: i32,
}

impl Answer {
    pub fn decode<'a, M: Message<'a>>(&'a self) -> M {
        let mut reader = Reader::new(&self.bytes);
        decode_response_header(&mut reader, self.api_key, self.version).expect("read before");
        let message = M::decode(&mut reader, self.version).expect("a well-formed answer");
        assert_eq!(reader.remaining(), 0, "bytes after an answer to {:?}", self.api_key);
        message
    }
}

impl Wire {
    pub fn connect(address: SocketAddr) -> io::Result<Wire> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Wire { stream, correlation_id: 0 })
    }

    /// Sends a request; its answer is the next one that has not been received.
    pub fn send<'a>(&mut self, api_key: ApiKey, version: i16, message: &impl Message<'a>) -> io::Result<i32> {
        self.correlation_id += 1;
        let header = RequestHeader {
            api_key: api_key.into(),
            api_version: version,
            correlation_id: self.correlation_id,
            client_id: Some("wire"),
        };
        let mut frame = Vec::new();
        for piece in encode_request(header, message).expect("fields of this version") {
            let Piece::Bytes(bytes) = piece else { panic!("requests hold no file ranges") };
            frame.extend_from_slice(&bytes);
        }
        self.stream.write_all(&frame)?;
        Ok(self.correlation_id)
    }

    /// Errors: the connection ended. A broker that says nothing for `PATIENCE` is a failed test.
    pub fn receive(&mut self, api_key: ApiKey, version: i16) -> io::Result<Answer> {
        let mut prefix = [0; 4];
        self.read(&mut prefix)?;
        let mut bytes = vec![0; usize::try_from(i32::from_be_bytes(prefix)).expect("a length")];
        self.read(&mut bytes)?;
        let mut reader = Reader::new(&bytes);
        let correlation_id = decode_response_header(&mut reader, api_key, version).expect("a header");
        Ok(Answer { bytes, api_key, version, correlation_id })
    }

    fn read(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        let result = self.stream.read_exact(bytes);
        if let Err(error) = &result
            && matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
        {
            panic!("no answer in {} s", PATIENCE.as_secs());
        }
        result
    }

    /// Sends a request and waits for its answer.
    pub fn ask<'a>(
        &mut self,
        api_key: ApiKey,
        version: i16,
        message: &impl Message<'a>,
    ) -> io::Result<Answer> {
        let sent = self.send(api_key, version, message)?;
        let answer = self.receive(api_key, version)?;
        assert_eq!(answer.correlation_id, sent, "answers come in the order of requests");
        Ok(answer)
    }

    pub fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let configs: Array<'_, _> =
            configs.iter().map(|&(name, value)| CreatableTopicConfig { name, value: Some(value) }).collect();
        let topic = CreatableTopic {
            name,
            num_partitions: partitions,
            replication_factor: 1,
            configs,
            ..CreatableTopic::default()
        };
        let timeout_ms = i32::try_from(Duration::from_secs(30).as_millis()).expect("small");
        let request = CreateTopicsRequest {
            topics: Array::from(vec![topic]),
            timeout_ms,
            ..CreateTopicsRequest::default()
        };
        let answer = self.ask(ApiKey::CreateTopics, 7, &request).expect("the broker runs");
        for result in answer.decode::<CreateTopicsResponse<'_>>().topics.iter() {
            assert_eq!((result.name, result.error_code), (name, 0), "{:?}", result.error_message);
        }
    }

    /// The id and epoch of a new idempotent producer.
    pub fn init_producer_id(&mut self) -> (i64, i16) {
        let request = InitProducerIdRequest { transactional_id: None, ..InitProducerIdRequest::default() };
        let answer = self.ask(ApiKey::InitProducerId, 4, &request).expect("the broker runs");
        let response: InitProducerIdResponse = answer.decode();
        assert_eq!(response.error_code, 0);
        (response.producer_id, response.producer_epoch)
    }
}
