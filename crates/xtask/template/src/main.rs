fn main() -> std::process::ExitCode {
    kit::main::<specimen::Specimen>()
}
