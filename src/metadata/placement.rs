//! Which log dir a new partition goes to: the one that has the fewest partitions, as in Kafka.
//!
//! Decides nothing about partitions that have a place: they stay there, whether it can be reached or not.

use protocol::Uuid;

use crate::model::DirectoryId;
use crate::model::metadata_image::MetadataImage;

/// The log dirs that may get partitions, each with how many it has.
///
/// Lives: one per request.
#[derive(Debug)]
pub(super) struct Placement(Vec<(DirectoryId, usize)>);

impl Placement {
    pub fn new(dirs: &[DirectoryId], image: &MetadataImage) -> Placement {
        let mut counts: Vec<(DirectoryId, usize)> = dirs.iter().map(|dir| (*dir, 0)).collect();
        // With one there is nothing to choose.
        if counts.len() > 1 {
            for partition in image.topics.values().flat_map(|topic| &topic.partitions) {
                if let Some((_, count)) = counts.iter_mut().find(|(dir, _)| *dir == partition.directory) {
                    *count += 1;
                }
            }
        }
        Placement(counts)
    }

    /// The place of the next partition. Of equals, the first in `log.dirs`.
    pub fn next(&mut self) -> Uuid {
        let Some((dir, count)) = self.0.iter_mut().min_by_key(|(_, count)| *count) else {
            return Uuid(DirectoryId::UNASSIGNED.0);
        };
        *count += 1;
        Uuid(dir.0)
    }
}
