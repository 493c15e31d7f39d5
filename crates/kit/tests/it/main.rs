//! Kit from outside: a tiny service is started, asked, broken and stopped, inside this process and as one of its own.

mod lifecycle;
mod process;
mod tiny;
