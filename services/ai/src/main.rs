fn main() -> std::process::ExitCode {
    kit::main::<ai::Ai>()
}
