fn main() -> std::process::ExitCode {
    kit::main::<inference::Inference>()
}
