//! Keeps a view as recent as the log. Must not know what the view is for.

use std::sync::Arc;

use ballast_event_codec::{DecodeError, Decoder};
use ballast_event_log::{EventLog, Follower, LogError};

use crate::view::View;

/// Why a view can't be built any further.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FollowError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

pub(crate) struct Projection {
    follower: Follower,
    decoder: Decoder,
    pub(crate) view: View,
}

impl Projection {
    pub(crate) fn new(log: Arc<dyn EventLog>, cluster: &str) -> Self {
        Self { follower: Follower::new(log, 1), decoder: Decoder::new(), view: View::new(cluster) }
    }

    /// Folds everything that is recorded by now.
    pub(crate) async fn catch_up(&mut self) -> Result<(), FollowError> {
        while let Some(envelope) = self.follower.next_recorded().await? {
            if self.view.follows(&envelope.stream)
                && let Some(event) = self.decoder.decode(&envelope)?
            {
                self.view.apply(&envelope, &event);
            }
            self.view.sequence = envelope.sequence;
        }
        Ok(())
    }
}
