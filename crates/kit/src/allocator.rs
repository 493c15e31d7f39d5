//! What every program of ours takes its memory from: jemalloc, because calls and streams of many threads at once are what
//! it was made for (ADR 0018). How it is set stands in `.cargo/config.toml`; `_RJEM_MALLOC_CONF` overrides it at start.

#[global_allocator]
static JEMALLOC: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
