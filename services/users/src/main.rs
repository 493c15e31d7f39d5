fn main() -> std::process::ExitCode {
    kit::main::<users::Users>()
}
