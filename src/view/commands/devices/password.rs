//! Passwords of devices: makes one, and reads one from the terminal or standard input.

use std::io::{self, BufRead, IsTerminal as _, Read as _};

use argon2::password_hash::rand_core::{OsRng, RngCore as _};

use super::CommandError;

/// The longest password that is read, in bytes.
const PASSWORD_BYTES_MAX: u64 = 1_024;
/// Without characters that people confuse on a label: 0 and o, 1, i and l.
const ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// Groups of [`GROUP`] characters: 79 bits.
const GROUPS: usize = 4;
const GROUP: usize = 4;

/// Makes a password that people can type: `k7fm-2xqp-9rtw-vh4c`.
pub fn make() -> String {
    let mut password = String::new();
    for place in 0..GROUPS * GROUP {
        if place > 0 && place % GROUP == 0 {
            password.push('-');
        }
        password.push(char::from(ALPHABET[random_below(ALPHABET.len())]));
    }
    password
}

/// A random number below `limit`, each with the same probability. `limit` is at most 256.
fn random_below(limit: usize) -> usize {
    let fair = 256 - 256 % limit;
    loop {
        let mut byte = [0];
        OsRng.fill_bytes(&mut byte);
        let number = usize::from(byte[0]);
        if number < fair {
            return number % limit;
        }
    }
}

/// Where a password is read from.
pub trait Prompt {
    /// Reads one line. `Ok(None)`: a person typed two passwords that differ.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>>;
}

/// The terminal, without an echo; or standard input, if it is no terminal.
#[derive(Debug, Clone, Copy, Default)]
pub struct Console;

impl Prompt for Console {
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        if io::stdin().is_terminal() {
            let first = rpassword::prompt_password("Password: ")?;
            let second = rpassword::prompt_password("The same again: ")?;
            return Ok((first == second).then(|| first.into_bytes()));
        }
        // Bytes: MQTT does not ask a password to be a text.
        let mut line = Vec::new();
        // A longer line would fill the memory.
        let mut input = io::stdin().lock().take(PASSWORD_BYTES_MAX);
        input.read_until(b'\n', &mut line)?;
        Ok(Some(line))
    }
}

/// Reads a password: one line without its end.
pub fn read_password(input: &mut dyn Prompt) -> Result<Vec<u8>, CommandError> {
    let line = input
        .line()
        .map_err(|error| CommandError::Failed(format!("cannot read the password: {error}")))?;
    let Some(mut password) = line else {
        return Err(CommandError::Failed(
            "the two passwords differ: nothing was done".to_owned(),
        ));
    };
    while password.ends_with(b"\n") || password.ends_with(b"\r") {
        password.pop();
    }
    if password.is_empty() {
        return Err(CommandError::Usage(
            "no password on standard input: pass it there, on one line".to_owned(),
        ));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_can_be_typed_and_is_never_the_same() {
        let (one, other) = (make(), make());
        assert_ne!(one, other);
        let groups: Vec<&str> = one.split('-').collect();
        assert_eq!(groups.len(), GROUPS);
        for group in groups {
            assert_eq!(group.len(), GROUP);
            assert!(group.bytes().all(|byte| ALPHABET.contains(&byte)), "{one}");
        }
        // Each character of the alphabet occurs.
        let many: String = (0..200).map(|_| make()).collect();
        assert!(ALPHABET.iter().all(|c| many.contains(char::from(*c))));
    }
}
