//! Identities in consumer groups. One newtype each, so that a mix-up does not compile.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

macro_rules! text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> $name {
                $name(text.into())
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }
    };
}

text!(
    /// A member of a group, as long as one of its processes lives.
    MemberId
);
text!(
    /// `group.instance.id`: a static member, over restarts of its process.
    InstanceId
);

/// Counts the changes of a consumer group. A member's epoch is the one whose target it has reached; a target's, the one it is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupEpoch(pub i32);

impl GroupEpoch {
    /// Of a member that has no assignment yet, and of a group that has no members yet.
    pub const ZERO: GroupEpoch = GroupEpoch(0);
    /// What a member says that leaves.
    pub const LEAVES: GroupEpoch = GroupEpoch(-1);
    /// What a static member says that will be back.
    pub const LEAVES_FOR_A_WHILE: GroupEpoch = GroupEpoch(-2);

    #[must_use]
    pub fn next(self) -> GroupEpoch {
        GroupEpoch(self.0.saturating_add(1))
    }
}

impl fmt::Display for GroupEpoch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}
