//! librdkafka as the tests use it: its settings, a topic, records sent and all acknowledged, partitions read to their ends.
//!
//! Decides nothing about the broker. A wait ends when what it waits for happens, or in a panic after `PATIENCE`.

use std::future::Future;
use std::ops::Deref;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};

use crate::broker::{Broker, Scratch};

pub use crate::wire::PATIENCE;

/// Where every partition of a test begins. Asking the broker instead is a test of its own: librdkafka asks before it knows the
/// leader, and then again only half a second later.
pub const START: Offset = Offset::Offset(0);

/// Runs the test on brokers of 1, 2 and 4 shards.
pub fn on_1_2_and_4_shards(test: impl Fn(&Broker)) {
    on_shards(&[1, 2, 4], &[], test);
}

pub fn on_shards(counts: &[u16], arguments: &[&str], test: impl Fn(&Broker)) {
    for &shards in counts {
        let scratch = Scratch::new();
        let broker = Broker::serve_at(&scratch, shards, 0, arguments);
        test(&broker);
    }
}

pub fn settings(broker: &Broker) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address().to_string());
    config.set("topic.metadata.refresh.fast.interval.ms", "20");
    config.set("log_level", "2");
    config
}

/// A client whose end nobody waits for: its threads look up only ten times a second.
pub struct Unhurried<C: Send + 'static>(Option<C>);

impl<C: Send> Unhurried<C> {
    fn new(client: C) -> Unhurried<C> {
        Unhurried(Some(client))
    }
}

impl<C: Send> Deref for Unhurried<C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.0.as_ref().expect("taken only in drop")
    }
}

impl<C: Send> Drop for Unhurried<C> {
    fn drop(&mut self) {
        let client = self.0.take();
        thread::spawn(move || drop(client));
    }
}

pub fn admin(broker: &Broker) -> Unhurried<AdminClient<DefaultClientContext>> {
    Unhurried::new(settings(broker).create().expect("valid settings"))
}

/// Creates a topic with these configs; what that returns is in order.
pub fn create_topic(broker: &Broker, topic: &str, partitions: i32, configs: &[(&str, &str)]) {
    let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    for (key, value) in configs {
        new = new.set(key, value);
    }
    let results = block_on(admin(broker).create_topics([&new], &AdminOptions::new())).expect("answered");
    assert_eq!(results, [Ok(topic.to_owned())]);
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    pub partition: i32,
    /// Err: why it was not delivered.
    pub offset: Result<i64, RDKafkaErrorCode>,
}

#[derive(Default)]
pub struct Deliveries(Mutex<Vec<Delivered>>);

#[derive(Clone, Default)]
pub struct Reports(Arc<Deliveries>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let delivered = match result {
            Ok(message) => Delivered { partition: message.partition(), offset: Ok(message.offset()) },
            Err((error, message)) => Delivered {
                partition: message.partition(),
                offset: Err(error.rdkafka_error_code().expect("the broker or the library refused it")),
            },
        };
        self.0.0.lock().expect("no test panics here").push(delivered);
    }
}

/// A producer that remembers what became of each record, in the order of the reports.
pub struct Sender {
    producer: Unhurried<BaseProducer<Reports>>,
    reports: Reports,
}

impl Sender {
    pub fn new(broker: &Broker, configs: &[(&str, &str)]) -> Sender {
        let mut config = settings(broker);
        config.set("linger.ms", "2");
        for (key, value) in configs {
            config.set(*key, *value);
        }
        let reports = Reports::default();
        let producer =
            BaseProducer::from_config_and_context(&config, reports.clone()).expect("valid settings");
        Sender { producer: Unhurried::new(producer), reports }
    }

    pub fn send(&self, record: BaseRecord<'_, [u8], [u8]>) {
        self.producer.send(record).map_err(|(error, _)| error).expect("room in the queue");
    }

    /// Waits until every record sent so far was delivered or refused.
    pub fn reports(&self) -> Vec<Delivered> {
        self.producer.flush(PATIENCE).expect("every record has an outcome");
        std::mem::take(&mut *self.reports.0.0.lock().expect("no test panics there"))
    }
}

/// Sends values to a partition; returns the offsets they got.
pub fn send_values(broker: &Broker, topic: &str, partition: i32, values: &[&str]) -> Vec<i64> {
    let sender = Sender::new(broker, &[]);
    for value in values {
        sender.send(BaseRecord::to(topic).partition(partition).payload(value.as_bytes()));
    }
    sender.reports().into_iter().map(|delivered| delivered.offset.expect("delivered")).collect()
}

pub fn consumer(broker: &Broker, configs: &[(&str, &str)]) -> Unhurried<BaseConsumer> {
    let mut config = settings(broker);
    // A group only because the library asks for one: nothing joins it, nothing is committed.
    config.set("group.id", "compat").set("enable.auto.commit", "false");
    config.set("enable.partition.eof", "true").set("fetch.wait.max.ms", "20");
    config.set("fetch.error.backoff.ms", "20");
    for (key, value) in configs {
        config.set(*key, *value);
    }
    Unhurried::new(config.create().expect("valid settings"))
}

/// Reads a partition from an offset to its end.
pub fn read_from(broker: &Broker, topic: &str, partition: i32, from: Offset) -> Vec<OwnedMessage> {
    read_to_ends(&consumer(broker, &[]), topic, &[(partition, from)])
}

/// Reads whole partitions; the records of each are in the order in which they came.
pub fn read_all(broker: &Broker, topic: &str, partitions: i32) -> Vec<Vec<OwnedMessage>> {
    let from: Vec<_> = (0..partitions).map(|partition| (partition, START)).collect();
    let mut read: Vec<Vec<OwnedMessage>> = (0..partitions).map(|_| Vec::new()).collect();
    for message in read_to_ends(&consumer(broker, &[]), topic, &from) {
        let partition = usize::try_from(message.partition()).expect("of the topic");
        read[partition].push(message);
    }
    read
}

pub fn read_to_ends(consumer: &BaseConsumer, topic: &str, from: &[(i32, Offset)]) -> Vec<OwnedMessage> {
    let mut assignment = TopicPartitionList::new();
    for &(partition, offset) in from {
        assignment.add_partition_offset(topic, partition, offset).expect("an offset to start from");
    }
    consumer.assign(&assignment).expect("assigned");
    let mut read = Vec::new();
    let mut ends = 0;
    while ends < from.len() {
        match consumer.poll(PATIENCE).expect("records or an end") {
            Ok(message) => read.push(message.detach()),
            Err(KafkaError::PartitionEOF(_)) => ends += 1,
            Err(error) => panic!("{topic}: {error}"),
        }
    }
    read
}

/// The values as text.
pub fn values(messages: &[OwnedMessage]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| std::str::from_utf8(message.payload().expect("a value")).expect("text"))
        .collect()
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The admin client answers from a thread of its own: waiting for it takes no executor.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
