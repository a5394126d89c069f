//! What members have in common: the protocols that all of them know, the one that most prefer, the topics that consumers name.

use std::collections::{BTreeMap, BTreeSet};

use protocol::messages::consumer_protocol::ConsumerProtocolSubscription;
use protocol::{Message, Reader};

use super::{CONSUMER, ClassicGroup, ClassicState, Member};
use crate::model::group::JoinProtocol;

impl ClassicGroup {
    /// Would a member that knows these protocols leave the group one that everybody knows?
    pub(super) fn supports(&self, protocol_type: &str, protocols: &[JoinProtocol]) -> bool {
        if self.state == ClassicState::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols
                .iter()
                .any(|protocol| self.members.values().all(|member| knows(member, &protocol.name)))
    }

    /// Each member votes for the first of its protocols that all know. At a draw the leader's order decides.
    pub(super) fn vote(&self) -> Option<String> {
        let leader = self.leader.as_ref().and_then(|leader| self.members.get(leader));
        let electorate = leader.or_else(|| self.members.values().next())?;
        let candidates: Vec<&str> = electorate
            .protocols
            .iter()
            .map(|protocol| protocol.name.as_str())
            .filter(|name| self.members.values().all(|member| knows(member, name)))
            .collect();
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let first = member.protocols.iter().find(|protocol| candidates.contains(&protocol.name.as_str()));
            if let Some(first) = first {
                *votes.entry(&first.name).or_default() += 1;
            }
        }
        let most = votes.values().copied().max()?;
        candidates.into_iter().find(|name| votes.get(name) == Some(&most)).map(str::to_owned)
    }

    /// Recomputes what consumers subscribe to. One that cannot be read makes it unknown.
    pub(super) fn find_subscribed_topics(&mut self) {
        self.subscribed_topics = match &self.protocol_name {
            _ if self.protocol_type() != CONSUMER => None,
            _ if self.members.is_empty() => Some(BTreeSet::new()),
            None => None,
            Some(protocol) => {
                let topics = self.members.values().map(|member| subscription(&member.metadata(protocol)));
                topics
                    .collect::<Option<Vec<Vec<String>>>>()
                    .map(|topics| topics.into_iter().flatten().collect())
            }
        };
    }
}

fn knows(member: &Member, protocol: &str) -> bool {
    member.protocols.iter().any(|known| known.name == protocol)
}

/// The topics of a consumer's metadata: a version and a subscription. Versions from the future are read as far as they are known.
fn subscription(metadata: &[u8]) -> Option<Vec<String>> {
    let mut reader = Reader::new(metadata);
    let version = i16::from_be_bytes(reader.take_array().ok()?);
    if version < 0 {
        return None;
    }
    let version = version.min(ConsumerProtocolSubscription::VERSIONS.1);
    let subscription = ConsumerProtocolSubscription::decode(&mut reader, version).ok()?;
    Some(subscription.topics.iter().map(str::to_owned).collect())
}
