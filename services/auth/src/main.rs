//! The process of the auth service: `serve`, `migrate` or `openapi`.

fn main() -> std::process::ExitCode {
    kit::main::<auth::Auth>()
}
