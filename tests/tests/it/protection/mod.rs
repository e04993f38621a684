//! What keeps a server up, and guessers out.

mod ended; // what a session may no longer do
mod rates; // how many requests one client may send
mod lockout; // how often one may guess
mod browsers; // what pages may do
mod slow; // those who keep connections and requests from others

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Waits until so much of a minute is left: counts begin anew with each.
async fn with_left_of_the_minute(seconds: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let left = 60 - now.as_secs() % 60;
    if left <= seconds {
        tokio::time::sleep(Duration::from_secs(left) + Duration::from_millis(20)).await;
    }
}
