#![doc = include_str!("../README.md")]

mod cli;
mod configuration;
mod dlq;
mod doctor;
mod infra;
mod migrate;
mod openapi;
mod secrets;
mod services;
mod tail;
mod up;

pub use cli::main;
