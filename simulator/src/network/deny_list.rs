//! Certificates that are good and yet not let in: stolen, or replaced before their time.

use crate::exit::{Exit, Failure};
use crate::folder;
use crate::keys;
use crate::progress::Progress;
use primitives::Digest;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The certificates that a file names, as the file was when it could be read last.
#[derive(Debug)]
pub struct DenyList {
    path: PathBuf,
    denied: BTreeSet<Digest>,
}

impl DenyList {
    /// Reads the list.
    ///
    /// # Errors
    /// If it cannot be read, or a line is no fingerprint.
    pub fn open(path: PathBuf) -> Result<Self, Failure> {
        let denied = BTreeSet::new();
        let mut list = Self { path, denied };
        list.read()?;
        Ok(list)
    }

    /// Whether `certificate` is on the list, which is read again: it may have grown. A list that cannot be read any more
    /// denies what it denied.
    pub fn denies(&mut self, certificate: Digest, progress: &Progress) -> bool {
        if let Err(failure) = self.read() {
            progress.say(&format!("the deny list stays as it was: {failure}"));
        }
        self.denied.contains(&certificate)
    }

    fn read(&mut self) -> Result<(), Failure> {
        let bytes = folder::read(&self.path)?;
        let mut denied = BTreeSet::new();
        for (number, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
            let Some(word) = line
                .split('#')
                .next()
                .and_then(|line| line.split_whitespace().next())
            else {
                continue;
            };
            let fingerprint = keys::fingerprint(word).map_err(|remedy| {
                let (path, number) = (self.path.display(), number + 1);
                let message =
                    format!("{path}, line {number}: {word:?} is no fingerprint; {remedy}");
                Failure::new(Exit::Usage, message)
            })?;
            denied.insert(fingerprint);
        }
        self.denied = denied;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_list_grows_while_it_is_used_and_a_bad_line_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("denied");
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        fs::write(&path, format!("# stolen\n\n{one}  silo-1, since May\n")).unwrap();
        let mut list = DenyList::open(path.clone()).unwrap();
        let quiet = Progress::quiet();
        assert!(list.denies(one, &quiet) && !list.denies(other, &quiet));
        fs::write(
            &path,
            format!("{one}\n{}", other.to_string().to_uppercase()),
        )
        .unwrap();
        assert!(list.denies(one, &quiet) && list.denies(other, &quiet));
        fs::write(&path, "# none\nsilo-1\n").unwrap();
        assert!(
            list.denies(one, &quiet),
            "a list that is damaged denies what it denied"
        );
        let failure = DenyList::open(path).unwrap_err();
        assert!(
            failure
                .message
                .contains("line 2: \"silo-1\" is no fingerprint"),
            "{failure}"
        );
    }
}
