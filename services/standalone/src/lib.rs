#![doc = include_str!("../README.md")]

mod broker;
mod cli;
mod configuration;
mod dlq;
mod doctor;
mod infra;
mod installation;
mod local_models;
mod migrate;
mod openapi;
mod progress;
mod secrets;
mod services;
mod signals;
mod tail;
mod up;
mod vectors;

pub use cli::main;
