//! Hosts with addresses of their own: network namespaces where this machine allows it, otherwise 127.0.0.2.

use crate::common::{Place, assert_same, scenario};
use crate::process::{Process, in_memory};
use std::process::{Command, Stdio};

/// Silos of the federation.
const SILOS: u32 = 3;

/// A host for the coordinator and one for each silo, every silo at the end of a cable of its own.
struct Hosts(String);

impl Hosts {
    /// Nothing if the machine does not allow it.
    fn new() -> Option<Self> {
        let hosts = Self(format!("siloscope{}", std::process::id()));
        let server = hosts.server();
        let mut lines = vec![
            format!("netns add {server}"),
            format!("-n {server} link set lo up"),
            format!("-n {server} address add 10.99.0.1/32 dev lo"),
        ];
        for silo in 0..SILOS {
            let (host, (near, far)) = (hosts.silo(silo), Self::cable(silo));
            lines.extend([
                format!("netns add {host}"),
                format!("link add {near} netns {server} type veth peer name {far} netns {host}"),
                format!("-n {server} address add 10.77.{silo}.1/24 dev {near}"),
                format!("-n {host} address add 10.77.{silo}.2/24 dev {far}"),
                format!("-n {server} link set {near} up"),
                format!("-n {host} link set {far} up"),
                format!("-n {host} route add default via 10.77.{silo}.1"),
            ]);
        }
        lines.iter().all(|line| ip(line)).then_some(hosts)
    }

    fn server(&self) -> String {
        format!("{}-server", self.0)
    }

    fn silo(&self, silo: u32) -> String {
        format!("{}-{silo}", self.0)
    }

    /// The two ends of a silo's cable: an interface's name has at most 15 letters.
    fn cable(silo: u32) -> (String, String) {
        let number = std::process::id();
        (format!("ss{number}n{silo}"), format!("ss{number}f{silo}"))
    }

    fn plug(&self, silo: u32, state: &str) {
        let line = format!(
            "-n {} link set {} {state}",
            self.server(),
            Self::cable(silo).0
        );
        assert!(ip(&line), "{line}");
    }

    /// The same command, on another host.
    fn on(host: &str, command: &Command) -> Command {
        let mut there = Command::new("ip");
        there.args(["netns", "exec", host]);
        there.arg(command.get_program()).args(command.get_args());
        there.current_dir(command.get_current_dir().unwrap());
        there
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for silo in 0..SILOS {
            ip(&format!("netns del {}", self.silo(silo)));
        }
        ip(&format!("netns del {}", self.server()));
    }
}

fn ip(line: &str) -> bool {
    let status = Command::new("ip")
        .args(line.split(' '))
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

#[test]
fn on_hosts_of_their_own_with_a_cable_that_is_pulled() {
    let text = scenario(&[("rounds = 6", "rounds = 40")]);
    let (_there, expected) = in_memory(&text);
    let place = Place::federation(&text, SILOS);
    let hosts = Hosts::new();
    let address = if hosts.is_some() {
        "10.99.0.1:0"
    } else {
        let mut stderr = std::io::stderr();
        let _ = std::io::Write::write_all(
            &mut stderr,
            b"no network namespaces here: everything is on 127.0.0.2, and no cable is pulled\n",
        );
        "127.0.0.2:0"
    };
    let server = [
        "serve",
        "./case.toml",
        "--keys",
        "keys",
        "--listen",
        address,
        "--rendezvous",
        "here.json",
        "--silence",
        "1",
    ];
    let server = place.command(&server);
    let mut server = Process::start(match &hosts {
        Some(hosts) => Hosts::on(&hosts.server(), &server),
        None => server,
    });
    let mut silos: Vec<Process> = (0..SILOS)
        .map(|silo| {
            let number = silo.to_string();
            let words = [
                "join",
                "./case.toml",
                "--silo",
                &number,
                "--keys",
                "keys",
                "--rendezvous",
                "here.json",
                "--silence",
                "1",
            ];
            let command = place.command(&words);
            Process::start(match &hosts {
                Some(hosts) => Hosts::on(&hosts.silo(silo), &command),
                None => command,
            })
        })
        .collect();
    if let Some(hosts) = &hosts {
        silos[1].until(&["trained round 3"]);
        hosts.plug(1, "down");
        server.until(&["silo 1 is gone: no answer"]);
        hosts.plug(1, "up");
    }
    let said = server.wait().ends(0, &[]);
    if hosts.is_some() {
        assert!(
            said.stderr.contains("silo 1 is here, from 10.77.1.2"),
            "{}",
            said.stderr
        );
    }
    for silo in silos {
        silo.wait().ends(0, &[]);
    }
    assert_same(&place.run_folder(), &expected, "on hosts of their own");
    assert_eq!(place.spent(1), (1..=40).collect::<Vec<u64>>());
}
