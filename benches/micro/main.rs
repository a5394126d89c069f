//! Microbenches: shard steps without I/O, the codec, batch validation; by time, or by instructions.
//!
//! `cargo bench --bench micro` times them with criterion; `cargo bench --bench micro -- --instructions` counts instructions.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

mod broker;
mod frames;
mod instructions;
mod work;

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use protocol::frame::{decode_request_header, encode_response};
use protocol::messages::produce::{
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};
use protocol::record::{ProduceRules, batches, crc32c, validate_produced};
use protocol::{ApiKey, Message, Reader};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|word| *word != "--bench").collect();
    match arguments[..] {
        ["--units", name, units] => instructions::run_units(name, units.parse().expect("a number")),
        ["--instructions"] => {
            if let Err(error) = instructions::print_all() {
                eprintln!("{error}");
                std::process::exit(1);
            }
        }
        _ => {
            let mut criterion = Criterion::default().configure_from_args();
            shard(&mut criterion);
            codec(&mut criterion);
            record_batch(&mut criterion);
            criterion.final_summary();
        }
    }
}

fn shard(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("shard");
    for (name, work) in work::ALL {
        group.throughput(Throughput::Elements(work.requests()));
        let mut unit = work.prepare();
        group.bench_function(name, |bencher| bencher.iter(&mut unit));
    }
    group.finish();
}

fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    let request = frames::produce(3, &frames::batch(16 << 10, 100));
    group.bench_function("decode Produce", |bencher| {
        bencher.iter(|| {
            let mut reader = Reader::new(&request);
            let header = decode_request_header(&mut reader).expect("valid");
            let message = ProduceRequest::decode(&mut reader, header.api_version).expect("valid");
            let partitions: usize = message.topic_data.iter().map(|topic| topic.partition_data.len()).sum();
            black_box(partitions)
        });
    });
    group.bench_function("encode Produce's answer", |bencher| {
        bencher.iter(|| {
            let partition = PartitionProduceResponse { index: 3, base_offset: 12, ..Default::default() };
            let topic = TopicProduceResponse {
                name: frames::TOPIC,
                partition_responses: vec![partition].into(),
                ..Default::default()
            };
            let answer = ProduceResponse { responses: vec![topic].into(), ..Default::default() };
            black_box(encode_response(7, ApiKey::Produce, frames::PRODUCE_VERSION, &answer).expect("valid"))
        });
    });
    group.finish();
}

fn record_batch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record batch");
    for (name, batch_bytes, record_bytes) in
        [("1k", 1024, 900), ("16k", 16 << 10, 100), ("1m", 1 << 20, 1000)]
    {
        let batch = frames::batch(batch_bytes, record_bytes);
        group.throughput(Throughput::Bytes(batch.len() as u64));
        group.bench_function(format!("CRC-32C {name}"), |bencher| bencher.iter(|| crc32c(black_box(&batch))));
        group.bench_function(format!("header walk {name}"), |bencher| {
            bencher.iter(|| batches(black_box(&batch)).filter(Result::is_ok).count());
        });
        let rules = ProduceRules::default();
        group.bench_function(format!("validate {name}"), |bencher| {
            let mut batch = batch.clone();
            bencher.iter(|| validate_produced(black_box(&mut batch), &rules).is_ok());
        });
    }
    group.finish();
}
