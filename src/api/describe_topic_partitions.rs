//! DescribeTopicPartitions (key 75), version 0: topics in the order of their names, page by page (KIP-966).
//!
//! Behaviour: a page holds as many partitions as the request and `max.request.partition.size.limit` allow, at least one; the cursor
//! says where the next page begins. Topics without partitions to show (unknown ones) do not count. No names: all topics.
//!
//! Not here: eligible leader replicas. A partition's replicas are in sync or not, so the lists are empty.

use std::collections::BTreeSet;
use std::ops::Bound;

use protocol::error_code::ErrorCode;
use protocol::messages::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponseCursor,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use protocol::{Array, Message, Reader, Uuid};

use super::cluster_view::{self, PartitionView, TOPIC_OPERATIONS};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::metadata::topic_name_problem;

pub fn handle(context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = DescribeTopicPartitionsRequest::decode(reader, info.version) else {
        return Outcome::Close("a DescribeTopicPartitions request that cannot be read");
    };
    let named: BTreeSet<&str> = request.topics.iter().map(|topic| topic.name).collect();
    let (from, first) =
        request.cursor.as_ref().map_or(("", 0), |cursor| (cursor.topic_name, cursor.partition_index));
    let from_is_unasked = request.cursor.is_some() && !named.is_empty() && !named.contains(from);
    if first < 0 || from_is_unasked {
        let rows = request.topics.iter().map(|topic| refused(topic.name));
        let response = DescribeTopicPartitionsResponse { topics: rows.collect(), ..Default::default() };
        return Outcome::Answer(answer(info, &response));
    }
    let asked_max = usize::try_from(request.response_partition_limit).unwrap_or(0);
    let mut page = Page {
        context,
        left: asked_max.min(context.config.describe_partitions_max).max(1),
        topics: Vec::new(),
        next: None,
    };
    if named.is_empty() {
        page.fill(
            context
                .image
                .names
                .range::<str, _>((Bound::Included(from), Bound::Unbounded))
                .map(|(name, _)| &**name),
            from,
            first,
        );
    } else {
        page.fill(named.range(from..).copied(), from, first);
    }
    let response = DescribeTopicPartitionsResponse {
        topics: page.topics.into(),
        next_cursor: page.next.map(|(topic_name, partition_index)| DescribeTopicPartitionsResponseCursor {
            topic_name,
            partition_index,
        }),
        ..Default::default()
    };
    Outcome::Answer(answer(info, &response))
}

struct Page<'a, 'c> {
    context: &'c ApiContext<'c>,
    /// Partitions that still fit.
    left: usize,
    topics: Vec<DescribeTopicPartitionsResponseTopic<'a>>,
    next: Option<(&'a str, i32)>,
}

impl<'a> Page<'a, '_> {
    /// Takes topics until the page is full; the one named `from` begins at partition `first`.
    fn fill(&mut self, names: impl Iterator<Item = &'a str>, from: &str, first: i32) {
        for name in names {
            if self.left == 0 {
                self.next = Some((name, 0));
                return;
            }
            let first = if name == from { first } else { 0 };
            self.push(name, first);
            if self.next.is_some() {
                return;
            }
        }
    }

    fn push(&mut self, name: &'a str, first: i32) {
        let Some(topic) = self.context.image.topic_by_name(name) else {
            let is_invalid = topic_name_problem(name).is_some();
            let error = if is_invalid {
                ErrorCode::INVALID_TOPIC_EXCEPTION
            } else {
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            };
            self.topics.push(DescribeTopicPartitionsResponseTopic {
                error_code: error as i16,
                name: Some(name),
                topic_authorized_operations: TOPIC_OPERATIONS,
                ..Default::default()
            });
            return;
        };
        let mut views = cluster_view::partitions(self.context, topic, first);
        let partitions: Vec<_> = views.by_ref().take(self.left).map(partition_row).collect();
        self.next = views.next().map(|view| (name, view.index));
        self.left -= partitions.len();
        self.topics.push(DescribeTopicPartitionsResponseTopic {
            error_code: 0,
            name: Some(name),
            topic_id: Uuid(topic.topic_id.0),
            is_internal: topic.internal,
            partitions: partitions.into(),
            topic_authorized_operations: TOPIC_OPERATIONS,
        });
    }
}

fn partition_row(view: PartitionView) -> DescribeTopicPartitionsResponsePartition<'static> {
    DescribeTopicPartitionsResponsePartition {
        error_code: view.error as i16,
        partition_index: view.index,
        leader_id: view.leader_id,
        leader_epoch: view.leader_epoch,
        replica_nodes: view.replicas.into(),
        isr_nodes: view.isr.into(),
        eligible_leader_replicas: Some(Array::empty()),
        last_known_elr: Some(Array::empty()),
        offline_replicas: view.offline.into(),
    }
}

/// A cursor that no page gave: it points before a topic, or at one that the request does not name.
fn refused(name: &str) -> DescribeTopicPartitionsResponseTopic<'_> {
    let error_code = ErrorCode::INVALID_REQUEST as i16;
    DescribeTopicPartitionsResponseTopic { error_code, name: Some(name), ..Default::default() }
}
