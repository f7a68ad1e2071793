//! Keys on disk.

use crate::common::{Place, scenario};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use transport::quic::Peer;

pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn keys_are_private_and_never_overwritten() {
    let place = Place::federation(&scenario(&[]), 2);
    let folders = ["authority", "coordinator", "silo-0", "silo-1"];
    for folder in folders {
        let folder = place.path("keys").join(folder);
        assert_eq!(mode(&folder), 0o700);
        for file in fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().path();
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    }
    // The authority's key is with the authority alone.
    assert!(!place.path("keys/silo-0/authority.key").exists());
    place
        .siloscope(&["keys", "init", "keys", "--silos", "2"])
        .ends(2, &["keys exists already, and keys are never overwritten"]);
    place
        .siloscope(&["keys", "add", "keys", "silo-1"])
        .ends(2, &["silo-1 exists already"]);
    let before = fs::read(place.path("keys/silo-1/silo-1.pem")).unwrap();
    place
        .siloscope(&["keys", "add", "keys", "1", "--replace", "-q"])
        .ends(0, &[]);
    assert_ne!(
        fs::read(place.path("keys/silo-1/silo-1.pem")).unwrap(),
        before
    );

    let shown = place
        .siloscope(&["keys", "show", "keys"])
        .ends(0, &[])
        .stdout;
    let names: Vec<&str> = shown
        .lines()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(names, folders);
    let coordinator = place
        .credentials(Peer::Coordinator)
        .fingerprint()
        .to_string();
    assert!(
        shown.contains(&coordinator) && shown.contains(" UTC"),
        "{shown}"
    );
    let json = place
        .siloscope(&["keys", "show", "keys/silo-1", "--json"])
        .stdout;
    assert!(json.contains("\"peer\":\"silo-1\""), "{json}");
    place
        .siloscope(&["keys", "show", "."])
        .ends(2, &["holds no keys"]);

    fs::set_permissions(
        place.path("keys/silo-0/silo-0.key"),
        PermissionsExt::from_mode(0o644),
    )
    .unwrap();
    let server = [
        "join",
        "./case.toml",
        "--silo",
        "0",
        "--keys",
        "keys",
        "--server",
        "127.0.0.1:9",
    ];
    place
        .siloscope(&server)
        .ends(1, &["can be read by others (mode 0644)", "chmod 600"]);
}
