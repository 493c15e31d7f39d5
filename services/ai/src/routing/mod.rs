//! Which route a call takes, and what happens when it fails: weights, latency, circuits, retries, fallbacks, deadlines.
