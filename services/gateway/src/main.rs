fn main() -> std::process::ExitCode {
    kit::main::<gateway::Gateway>()
}
