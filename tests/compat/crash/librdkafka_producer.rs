//! librdkafka's idempotent producer, told to try for ever.
//!
//! Its promise is then the same as ours: every record once, in order. Two things differ. A record whose first answer was
//! lost may be reported as persisted without an offset. And it may declare the producer fatally failed: here, where one
//! broker alone assigns sequences and forgets none, that has no excuse, so it fails the test.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientConfig, ClientContext};

use super::PARTITIONS;
use super::ledger::{self, Ledger, key, value};
use super::load::{Load, Random};
use crate::clients::PATIENCE;

#[derive(Clone)]
struct Reports<'l> {
    load: &'l Load,
    ledger: Arc<Mutex<Ledger>>,
}

impl ClientContext for Reports<'_> {}

impl ProducerContext for Reports<'_> {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let message = match result {
            Ok(message) => message,
            Err((error, message)) => {
                eprintln!("{}-{}: not delivered: {error}", message.topic(), message.partition());
                // A panic must not cross the library: what is missing in the ledger fails the test.
                return;
            }
        };
        let number = ledger::number(message.partition(), message.key().expect("every record has one"));
        let offset = (message.offset() >= 0).then_some(message.offset());
        if let Ok(mut ledger) = self.ledger.lock() {
            ledger.acknowledge(message.partition(), number, offset);
        }
        self.load.acknowledged_to_library();
    }
}

/// Produces until there shall be no more, then until all is acknowledged.
pub fn produce(load: &Load, topic: &str) -> Ledger {
    let _over = load.over_if_panicking();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", load.address.to_string());
    config.set("enable.idempotence", "true").set("message.timeout.ms", "0").set("linger.ms", "1");
    config.set("reconnect.backoff.ms", "10").set("reconnect.backoff.max.ms", "50");
    config.set("retry.backoff.ms", "10").set("retry.backoff.max.ms", "50");
    config.set("queue.buffering.max.messages", "2000").set("log_level", "0");
    let ledger = Arc::new(Mutex::new(Ledger::new()));
    let reports = Reports { load, ledger: ledger.clone() };
    let producer: BaseProducer<Reports<'_>> =
        BaseProducer::from_config_and_context(&config, reports).expect("valid settings");
    let mut random = Random::new(load.seed ^ 2);
    let mut next = [0; PARTITIONS as usize];
    'produce: while !load.is_no_more() {
        let partition = random.below(PARTITIONS as u64) as i32;
        let number = next[partition as usize];
        let (key, value) = (key(partition, number), value(partition, number));
        let mut record = BaseRecord::to(topic).partition(partition).key(&key).payload(&value);
        while let Err((error, refused)) = producer.send(record) {
            let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
            assert_eq!(error, full, "{:?}", producer.client().fatal_error());
            record = refused;
            producer.poll(Duration::from_millis(1));
            if load.is_no_more() {
                break 'produce;
            }
        }
        next[partition as usize] += 1;
        producer.poll(Duration::ZERO);
    }
    producer.flush(PATIENCE).expect("all acknowledged");
    assert_eq!(producer.client().fatal_error(), None);
    drop(producer);
    let Some(ledger) = Arc::into_inner(ledger) else {
        panic!("the producer is gone, and its context with it")
    };
    ledger.into_inner().expect("no report failed")
}
