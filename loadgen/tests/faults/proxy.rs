//! A proxy between the generator and a broker that does one wrong thing.
//!
//! Decides which frame is meddled with and how. It knows frames, Produce requests and Fetch answers; everything else passes.

use std::collections::HashMap;
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use protocol::messages::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};
use protocol::messages::produce::ProduceRequest;
use protocol::record::{BatchView, batches, stamp};
use protocol::{ApiKey, Array, ErrorCode, Message, Reader, Records, frame};

use super::broker::{concat, partition_data, read_frame};

/// Requests are counted from 0 over all connections; offsets are of every partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The batch of this Produce request is stored with a byte flipped.
    FlipProduced(usize),
    /// The batch with this base offset is handed out with a byte flipped.
    FlipFetched(i64),
    /// The connection closes where the answer to this Produce request should have come.
    CloseInsteadOfAnswer(usize),
    /// The answer to this Produce request never comes, and in place of the next one the connection closes.
    AnswerNever(usize),
    /// The connection closes where this Produce request should have been passed on.
    CloseInsteadOfRequest(usize),
    /// This Produce request reaches the broker twice.
    SendTwice(usize),
    /// This Produce request reaches the broker behind the next one of its connection.
    ExchangeProduced(usize),
    /// The batch with this base offset and the one behind it are handed out in each other's place.
    ExchangeFetched(i64),
    /// The batch with this base offset is not handed out.
    Withhold(i64),
    /// Every answer comes late.
    Delay(Duration),
}

/// What the two directions of one connection know of its requests.
#[derive(Default)]
struct Course {
    asked: HashMap<i32, Asked>,
    /// A Produce request that waits for the next one.
    held_request: Option<Vec<u8>>,
    /// The Produce request whose answer goes first, and an answer that waits for it.
    goes_first: Option<usize>,
    held_answer: Option<Vec<u8>>,
    close_next: bool,
}

#[derive(Clone, Copy)]
struct Asked {
    key: ApiKey,
    version: i16,
    produce: Option<usize>,
    /// Answers that are still to come; only the first is passed on.
    answers: usize,
    passed: bool,
}

struct Inner {
    fault: Fault,
    broker: SocketAddr,
    produced: AtomicUsize,
    /// The fault has happened.
    happened: AtomicBool,
}

pub struct Proxy {
    address: SocketAddr,
    inner: Arc<Inner>,
}

impl Proxy {
    /// Lives as long as the process of the test: its threads wait for connections that do not come any more.
    pub fn start(broker: SocketAddr, fault: Fault) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let inner = Arc::new(Inner {
            fault,
            broker,
            produced: AtomicUsize::new(0),
            happened: AtomicBool::new(false),
        });
        let own = Arc::clone(&inner);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(broker) = TcpStream::connect(own.broker) else { continue };
                own.join(client, broker);
            }
        });
        Proxy { address, inner }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn has_meddled(&self) -> bool {
        self.inner.happened.load(Ordering::Acquire)
    }
}

impl Inner {
    fn join(self: &Arc<Inner>, client: TcpStream, broker: TcpStream) {
        for socket in [&client, &broker] {
            socket.set_nodelay(true).expect("a socket");
        }
        let course = Arc::new(Mutex::new(Course::default()));
        let copies = (client.try_clone().expect("a socket"), broker.try_clone().expect("a socket"));
        let (own, its_course) = (Arc::clone(self), Arc::clone(&course));
        std::thread::spawn(move || own.pass(client, broker, |frame| own.requests(&its_course, frame)));
        let own = Arc::clone(self);
        std::thread::spawn(move || own.pass(copies.1, copies.0, |frame| own.answers(&course, frame)));
    }

    /// Passes on what `meddle` makes of each frame, until it says None or one side is gone.
    fn pass(&self, mut from: TcpStream, mut to: TcpStream, meddle: impl Fn(Vec<u8>) -> Option<Vec<Vec<u8>>>) {
        while let Some(frames) = read_frame(&mut from).and_then(&meddle) {
            let wrote = frames.iter().try_for_each(|frame| {
                to.write_all(&(frame.len() as u32).to_be_bytes()).and_then(|()| to.write_all(frame))
            });
            if wrote.is_err() {
                break;
            }
        }
        for socket in [from, to] {
            // One that is closed already is as good.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    fn note(&self) {
        self.happened.store(true, Ordering::Release);
    }

    fn requests(&self, course: &Mutex<Course>, mut request: Vec<u8>) -> Option<Vec<Vec<u8>>> {
        let header =
            frame::decode_request_header(&mut Reader::new(&request)).expect("the generator speaks Kafka");
        let key = ApiKey::try_from(header.api_key).expect("the generator speaks Kafka");
        let (version, id) = (header.api_version, header.correlation_id);
        let number = (key == ApiKey::Produce).then(|| self.produced.fetch_add(1, Ordering::Relaxed));
        let mut course = locked(course);
        let mut asked = Asked { key, version, produce: number, answers: 1, passed: false };
        let mut frames = Vec::new();
        match self.fault {
            Fault::FlipProduced(at) if number == Some(at) => {
                let last = last_byte_of_records(&request);
                request[last] ^= 1;
                self.note();
            }
            Fault::CloseInsteadOfRequest(at) if number == Some(at) => {
                self.note();
                return None;
            }
            Fault::SendTwice(at) if number == Some(at) => {
                asked.answers = 2;
                frames.push(request.clone());
                self.note();
            }
            Fault::ExchangeProduced(at) if number == Some(at) => {
                course.asked.insert(id, asked);
                course.goes_first = number;
                course.held_request = Some(request);
                return Some(frames);
            }
            _ => {}
        }
        course.asked.insert(id, asked);
        frames.push(request);
        if number.is_some()
            && let Some(held) = course.held_request.take()
        {
            frames.push(held);
            self.note();
        }
        Some(frames)
    }

    fn answers(&self, course: &Mutex<Course>, answer: Vec<u8>) -> Option<Vec<Vec<u8>>> {
        if let Fault::Delay(late) = self.fault {
            std::thread::sleep(late);
            self.note();
        }
        let id = i32::from_be_bytes(*answer.first_chunk().expect("a correlation id"));
        let mut course = locked(course);
        if course.close_next {
            return None;
        }
        let Some(entry) = course.asked.get_mut(&id) else { return Some(vec![answer]) };
        let was_passed = std::mem::replace(&mut entry.passed, true);
        entry.answers -= 1;
        let asked = *entry;
        if asked.answers == 0 {
            course.asked.remove(&id);
        }
        match self.fault {
            _ if was_passed => return Some(Vec::new()),
            Fault::CloseInsteadOfAnswer(at) if asked.produce == Some(at) => {
                self.note();
                return None;
            }
            Fault::AnswerNever(at) if asked.produce == Some(at) => {
                self.note();
                course.close_next = true;
                return Some(Vec::new());
            }
            _ => {}
        }
        if asked.key == ApiKey::Fetch {
            return Some(vec![self.fetch_answer(id, asked.version, answer)]);
        }
        match course.goes_first {
            Some(first) if asked.produce == Some(first) => {
                course.goes_first = None;
                Some(std::iter::once(answer).chain(course.held_answer.take()).collect())
            }
            Some(first) if asked.produce > Some(first) => {
                course.held_answer = Some(answer);
                Some(Vec::new())
            }
            _ => Some(vec![answer]),
        }
    }

    fn fetch_answer(&self, id: i32, version: i16, answer: Vec<u8>) -> Vec<u8> {
        let mut reader = Reader::new(&answer);
        frame::decode_response_header(&mut reader, ApiKey::Fetch, version).expect("the broker speaks Kafka");
        let response = FetchResponse::decode(&mut reader, version).expect("the broker speaks Kafka");
        let responses = response.responses.iter().map(|topic| FetchableTopicResponse {
            topic: topic.topic,
            topic_id: topic.topic_id,
            partitions: topic.partitions.iter().map(|data| self.partition_answer(&data)).collect(),
        });
        let response = FetchResponse {
            throttle_time_ms: 0,
            error_code: response.error_code,
            session_id: response.session_id,
            responses: responses.collect(),
            node_endpoints: Array::empty(),
        };
        let pieces = frame::encode_response(id, ApiKey::Fetch, version, &response);
        concat(pieces.expect("it was an answer before")).split_off(4)
    }

    fn partition_answer(&self, data: &PartitionData<'_>) -> PartitionData<'static> {
        let bytes = match &data.records {
            Some(Records::Wire(bytes)) => *bytes,
            _ => &[],
        };
        let mut found: Vec<Vec<u8>> =
            batches(bytes).map(|batch| batch.expect("whole batches").bytes().to_vec()).collect();
        self.meddle_with(&mut found);
        let error = ErrorCode::try_from(data.error_code).expect("one of Kafka's");
        partition_data(data.partition_index, error, data.high_watermark, found.concat())
    }

    fn meddle_with(&self, found: &mut Vec<Vec<u8>>) {
        let wanted = match self.fault {
            Fault::FlipFetched(offset) | Fault::ExchangeFetched(offset) | Fault::Withhold(offset) => offset,
            _ => return,
        };
        let Some(at) = found.iter().position(|batch| view(batch).base_offset() == wanted) else { return };
        match self.fault {
            Fault::FlipFetched(_) => *found[at].last_mut().expect("a batch has bytes") ^= 1,
            Fault::Withhold(_) => drop(found.remove(at)),
            // Not without the other one: the reader asks again.
            _ if at + 1 == found.len() => return found.truncate(at),
            _ => {
                found.swap(at, at + 1);
                stamp(&mut found[at], wanted, 0);
                let next = view(&found[at]).next_offset();
                stamp(&mut found[at + 1], next, 0);
            }
        }
        self.note();
    }
}

fn locked(course: &Mutex<Course>) -> MutexGuard<'_, Course> {
    course.lock().expect("no thread of the proxy panics")
}

fn view(batch: &[u8]) -> BatchView<'_> {
    BatchView::parse(batch).expect("a whole batch")
}

fn last_byte_of_records(request: &[u8]) -> usize {
    let mut reader = Reader::new(request);
    let header = frame::decode_request_header(&mut reader).expect("the generator speaks Kafka");
    let produce =
        ProduceRequest::decode(&mut reader, header.api_version).expect("the generator speaks Kafka");
    let records =
        produce.topic_data.iter().next().and_then(|topic| topic.partition_data.iter().next()?.records);
    let Some(Records::Wire(bytes)) = records else { panic!("a Produce request without records") };
    bytes.as_ptr().addr() + bytes.len() - 1 - request.as_ptr().addr()
}
