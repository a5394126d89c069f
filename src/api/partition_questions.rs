//! Requests that ask one question of each of many partitions: scattered to the shards, gathered, answered.

use std::sync::Arc;

use protocol::Piece;
use protocol::error_code::ErrorCode;

use super::{ApiContext, RequestInfo};
use crate::model::{LeaderEpoch, PartitionIndex, ShardId, TopicId, TopicPartition};
use crate::shard_message::{Answer, AnswerItem, AskItem, Question};

/// Turns the answers into the client's answer.
type Responder = Box<dyn FnOnce(RequestInfo, &[(Arc<str>, Vec<PartitionAnswer>)]) -> Vec<Piece>>;

/// One partition's answer, with what the client calls it.
#[derive(Debug)]
pub struct PartitionAnswer {
    pub partition: i32,
    pub error: ErrorCode,
    pub answer: Answer,
}

pub struct QuestionPlan {
    info: RequestInfo,
    topics: Vec<(Arc<str>, Vec<i32>)>,
    answers: Vec<Option<AnswerItem>>,
    respond: Responder,
    /// What has no answer by then is answered with REQUEST_TIMED_OUT.
    wait_ms_max: Option<u64>,
}

/// Collects a request's questions; resolves topic names.
pub struct QuestionBuilder<'a, 'c> {
    context: &'a ApiContext<'c>,
    plan: QuestionPlan,
    items: Vec<(ShardId, AskItem)>,
    topic: Option<TopicId>,
}

impl<'a, 'c> QuestionBuilder<'a, 'c> {
    pub fn new(
        context: &'a ApiContext<'c>,
        info: RequestInfo,
        respond: impl FnOnce(RequestInfo, &[(Arc<str>, Vec<PartitionAnswer>)]) -> Vec<Piece> + 'static,
    ) -> Self {
        let plan = QuestionPlan {
            info,
            topics: Vec::new(),
            answers: Vec::new(),
            respond: Box::new(respond),
            wait_ms_max: None,
        };
        QuestionBuilder { context, plan, items: Vec::new(), topic: None }
    }

    /// The questions that follow are about this topic.
    pub fn topic(&mut self, name: &str) {
        let image = self.context.image.topic_by_name(name);
        self.topic = image.map(|image| image.topic_id);
        let name = image.map_or_else(|| Arc::from(name), |image| image.name.clone());
        self.plan.topics.push((name, Vec::new()));
    }

    /// Asks, or, with an error, answers at once.
    pub fn ask(&mut self, partition: i32, epoch: LeaderEpoch, question: Result<Question, ErrorCode>) {
        let index = u32::try_from(self.plan.answers.len()).expect("a frame holds fewer than 2^32 partitions");
        let (_, partitions) = self.plan.topics.last_mut().expect("a topic comes before its partitions");
        partitions.push(partition);
        let known = self.topic.and_then(|topic_id| {
            let topic_partition = TopicPartition { topic_id, partition: PartitionIndex(partition) };
            self.context.image.partition(topic_partition).map(|_| topic_partition)
        });
        let item = known.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION).and_then(|topic_partition| {
            Ok(AskItem { index, topic_partition, current_leader_epoch: epoch, question: question? })
        });
        self.plan.answers.push(item.err().map(|error| AnswerItem { index, error, answer: Answer::Nothing }));
        self.items.extend(item.ok().map(|item| ((self.context.shard_of)(item.topic_partition), item)));
    }

    /// An answer comes after this long, whatever is missing.
    pub fn wait_at_most(&mut self, ms: u64) {
        self.plan.wait_ms_max = Some(ms);
    }

    pub fn finish(self) -> super::Outcome {
        super::Outcome::Ask { plan: self.plan, items: self.items }
    }
}

impl QuestionPlan {
    pub fn fill(&mut self, answers: Vec<AnswerItem>) {
        for answer in answers {
            let slot = &mut self.answers[answer.index as usize];
            assert!(slot.is_none(), "a question is answered once");
            *slot = Some(answer);
        }
    }

    #[must_use]
    pub fn wait_ms_max(&self) -> Option<u64> {
        self.wait_ms_max
    }

    /// Whatever has no answer yet gets none.
    pub fn time_out(&mut self) {
        for (index, answer) in (0_u32..).zip(&mut self.answers) {
            let error = ErrorCode::REQUEST_TIMED_OUT;
            answer.get_or_insert(AnswerItem { index, error, answer: Answer::Nothing });
        }
    }

    #[must_use]
    pub fn respond(self) -> Vec<Piece> {
        let mut answers = self.answers.into_iter();
        let mut topics = Vec::with_capacity(self.topics.len());
        for (name, partitions) in self.topics {
            let partitions = partitions.into_iter().zip(answers.by_ref()).map(|(partition, answer)| {
                let AnswerItem { error, answer, .. } =
                    answer.expect("answered when the last question has its answer");
                PartitionAnswer { partition, error, answer }
            });
            topics.push((name, partitions.collect()));
        }
        (self.respond)(self.info, &topics)
    }
}
