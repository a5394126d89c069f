//! Writes the catalogues of a running broker anew from time to time. A start writes down what it had to ask of summaries; this adds what
//! was sealed since, so that a start is no slower for how long the broker had run.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::limits::CATALOGUE_INTERVAL_MS;

use super::recovery_disk::DataDir;

/// For as long as the process lives, beginning one interval from now.
pub fn keep_catalogues(data_dirs: Vec<PathBuf>) -> io::Result<()> {
    let keep = move || loop {
        std::thread::sleep(Duration::from_millis(CATALOGUE_INTERVAL_MS));
        for path in &data_dirs {
            let mut began = Instant::now();
            // As long a pause after each partition as it took: nobody waits for this.
            let mut pause = || {
                std::thread::sleep(began.elapsed());
                began = Instant::now();
            };
            if let Err(error) = DataDir::new(path.clone()).refresh_catalogue(&mut pause) {
                tracing::warn!(path = %path.display(), %error, "cannot write the catalogue anew: the next start asks more summaries");
            }
        }
    };
    std::thread::Builder::new().name("catalogue".to_owned()).spawn(keep).map(drop)
}
