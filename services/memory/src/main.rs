fn main() -> std::process::ExitCode {
    kit::main::<memory::Memory>()
}
