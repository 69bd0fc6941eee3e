//! `scripts/nic` on machines made of files: which cards it takes, and which it leaves alone.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;

const FIRST: &str = "0000:03:00.0";
const SECOND: &str = "0000:03:00.1";

#[test]
fn a_card_nobody_uses_goes_to_vfio_pci_and_back() {
    let machine = Machine::new();
    machine.add_card(FIRST, "enp3s0f0", "7");
    let kernel = machine.kernel();
    let bound = machine.nic(&["bind", "enp3s0f0"]);
    assert!(bound.status.success(), "{bound:?}");
    assert!(said(&bound).contains(r#"device = "0000:03:00.0""#), "{bound:?}");
    assert_eq!(machine.driver_of(FIRST), "vfio-pci");
    assert!(machine.commands().contains("link set enp3s0f0 down"));
    let given_back = machine.nic(&["unbind", "03:00.0"]);
    assert!(given_back.status.success(), "{given_back:?}");
    assert_eq!(machine.driver_of(FIRST), "ice");
    drop(kernel);
}

#[test]
fn the_card_this_session_comes_in_through_is_never_taken() {
    let machine = Machine::new();
    machine.add_card(FIRST, "enp3s0f0", "7");
    machine.answer("route get 192.0.2.99", "192.0.2.99 dev enp3s0f0 src 192.0.2.1 uid 0");
    for force in [&["bind", FIRST][..], &["bind", "--force", FIRST]] {
        let refused = machine.nic_in_session(force, "192.0.2.99 50000 192.0.2.1 22");
        assert!(!refused.status.success());
        assert!(said(&refused).contains("this session comes in through it"), "{refused:?}");
        assert_eq!(machine.driver_of(FIRST), "ice");
    }
}

#[test]
fn a_card_below_the_bond_this_session_comes_in_through_is_never_taken() {
    let machine = Machine::new();
    machine.add_card(FIRST, "enp3s0f0", "7");
    machine.file("sys/class/net/bond0/lower_enp3s0f0", "");
    machine.answer("route get 192.0.2.99", "192.0.2.99 dev bond0 src 192.0.2.1 uid 0");
    let refused = machine.nic_in_session(&["bind", FIRST], "192.0.2.99 50000 192.0.2.1 22");
    assert!(!refused.status.success());
    assert!(said(&refused).contains("this session comes in through it"), "{refused:?}");
}

#[test]
fn a_card_with_an_address_or_the_default_route_is_taken_only_by_force() {
    for (question, answer, reason) in [
        ("-o address show dev enp3s0f0 scope global", "2: enp3s0f0 inet 192.0.2.1/24 scope global", "192.0.2.1/24"),
        ("route show default", "default via 192.0.2.254 dev enp3s0f0 proto static", "default route"),
        ("-6 route show default", "default via fe80::1 dev enp3s0f0 proto ra", "default route"),
    ] {
        let machine = Machine::new();
        machine.add_card(FIRST, "enp3s0f0", "7");
        machine.answer(question, answer);
        let kernel = machine.kernel();
        let refused = machine.nic(&["bind", FIRST]);
        assert!(!refused.status.success());
        assert!(said(&refused).contains(reason) && said(&refused).contains("--force"), "{refused:?}");
        assert_eq!(machine.driver_of(FIRST), "ice", "{reason}");
        assert!(machine.nic(&["bind", "--force", FIRST]).status.success(), "{reason}");
        assert_eq!(machine.driver_of(FIRST), "vfio-pci", "{reason}");
        drop(kernel);
    }
}

#[test]
fn a_card_whose_iommu_group_holds_another_of_the_kernels_devices_is_not_taken() {
    let machine = Machine::new();
    machine.add_card(FIRST, "enp3s0f0", "7");
    machine.add_card(SECOND, "enp3s0f1", "7");
    let refused = machine.nic(&["bind", "--force", FIRST]);
    assert!(!refused.status.success());
    assert!(said(&refused).contains("IOMMU group 7 also holds 0000:03:00.1"), "{refused:?}");
}

#[test]
fn a_card_that_shares_its_driver_with_dpdk_is_not_bound() {
    let machine = Machine::new();
    machine.add_card(FIRST, "enp3s0f0", "7");
    machine.bind(FIRST, "mlx5_core");
    let refused = machine.nic(&["bind", FIRST]);
    assert!(!refused.status.success());
    assert!(said(&refused).contains("mlx5_core shares it with DPDK"), "{refused:?}");
}

#[test]
fn without_an_iommu_nothing_is_bound_and_the_fix_is_said() {
    let machine = Machine::new();
    machine.add_card(FIRST, "enp3s0f0", "7");
    fs::remove_dir_all(machine.path("sys/kernel/iommu_groups")).unwrap();
    fs::remove_file(machine.path("sys/bus/pci/devices").join(FIRST).join("iommu_group")).unwrap();
    assert!(said(&machine.nic(&["bind", FIRST])).contains("the IOMMU is off"));
    let shown = machine.nic(&[]);
    assert!(shown.status.success(), "looking is never a failure: {shown:?}");
    assert!(said(&shown).contains("intel_iommu=on iommu=pt"), "{shown:?}");
}

#[test]
fn the_cores_that_are_to_be_kept_free_are_ones_that_are_there() {
    let machine = Machine::new();
    machine.file("sys/devices/system/cpu/isolated", "\n");
    for (present, workers) in [("0-1\n", "isolcpus=1 "), ("0-7\n", "isolcpus=6-7 "), ("0,2\n", "isolcpus=2 ")] {
        machine.file("sys/devices/system/cpu/present", present);
        let shown = machine.nic(&[]);
        assert!(said(&shown).contains(workers), "{present}: {shown:?}");
    }
}

#[test]
fn the_only_core_of_a_machine_is_not_to_be_kept_free() {
    let machine = Machine::new();
    machine.file("sys/devices/system/cpu/isolated", "\n");
    machine.file("sys/devices/system/cpu/present", "0\n");
    let shown = machine.nic(&[]);
    assert!(shown.status.success(), "{shown:?}");
    assert!(said(&shown).contains("the machine"), "{shown:?}");
    assert!(!said(&shown).contains("isolcpus") && !said(&shown).contains("kept free"), "{shown:?}");
}

#[test]
fn a_check_passes_only_when_ferryd_could_start() {
    let machine = Machine::new();
    machine.add_card(FIRST, "enp3s0f0", "7");
    let not_yet = machine.nic(&["check", FIRST]);
    assert!(!not_yet.status.success());
    assert!(said(&not_yet).contains("scripts/nic bind 0000:03:00.0"), "{not_yet:?}");
    machine.bind(FIRST, "vfio-pci");
    let ready = machine.nic(&["check", FIRST]);
    assert!(ready.status.success(), "{ready:?}");
    machine.file("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "3\n");
    let no_memory = machine.nic(&["check", FIRST]);
    assert!(!no_memory.status.success());
    assert!(said(&no_memory).contains("vm.nr_hugepages=512"), "{no_memory:?}");
}

#[test]
fn what_is_no_card_is_refused_by_name() {
    let machine = Machine::new();
    machine.add_card(FIRST, "enp3s0f0", "7");
    machine.file("sys/bus/pci/devices/0000:00:1f.2/class", "0x010601\n");
    machine.file("sys/class/net/lo/mtu", "65536\n");
    for (card, reason) in [
        ("enp9s0", "there is no card `enp9s0`"),
        ("0000:00:1f.2", "is no network card"),
        ("lo", "no card but an interface of the kernel's own"),
    ] {
        let refused = machine.nic(&["bind", card]);
        assert!(!refused.status.success());
        assert!(said(&refused).contains(reason), "{refused:?}");
    }
}

/// A machine of files: what the kernel would show of its PCI bus, and programs that answer as they are told.
struct Machine(TempDir);

impl Machine {
    /// With an IOMMU, vfio-pci, huge pages and no card.
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        for (file, content) in [
            ("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "512\n"),
            ("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "512\n"),
            ("sys/devices/system/cpu/isolated", "2-3\n"),
            ("sys/bus/pci/drivers_probe", ""),
            ("proc/cpuinfo", "vendor_id : GenuineIntel\n"),
            ("proc/mounts", ""),
            ("commands", ""),
        ] {
            machine.file(file, content);
        }
        for folder in ["sys/bus/pci/devices", "sys/bus/pci/drivers/vfio-pci", "sys/bus/pci/drivers/ice", "answers"] {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        // It notes what it is asked and answers what it was told to.
        machine.program(
            "ip",
            r#"echo "$*" >>"$FAKE/commands"; cat "$FAKE/answers/$(echo "$*" | tr ' ' _)" 2>/dev/null; true"#,
        );
        machine.program("lspci", "exit 1");
        machine
    }

    fn add_card(&self, address: &str, interface: &str, group: &str) {
        let device = format!("sys/bus/pci/devices/{address}");
        for (file, content) in [
            ("class", "0x020000\n"),
            ("vendor", "0x8086\n"),
            ("device", "0x159b\n"),
            ("numa_node", "0\n"),
            ("driver_override", ""),
            (&format!("net/{interface}/mtu"), "1500\n"),
        ] {
            self.file(&format!("{device}/{file}"), content);
        }
        let members = self.path(&format!("sys/kernel/iommu_groups/{group}/devices"));
        fs::create_dir_all(&members).unwrap();
        symlink(self.path(&device), members.join(address)).unwrap();
        symlink(members.parent().unwrap(), self.path(&device).join("iommu_group")).unwrap();
        let interfaces = self.path("sys/class/net");
        fs::create_dir_all(interfaces.join(interface)).unwrap();
        symlink(self.path(&device), interfaces.join(interface).join("device")).unwrap();
        self.bind(address, "ice");
    }

    fn bind(&self, address: &str, driver: &str) {
        let folder = self.path("sys/bus/pci/drivers").join(driver);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("unbind"), "").unwrap();
        let link = self.path("sys/bus/pci/devices").join(address).join("driver");
        let _there_was_none = fs::remove_file(&link);
        symlink(folder, link).unwrap();
    }

    fn driver_of(&self, address: &str) -> String {
        let driver = fs::read_link(self.path("sys/bus/pci/devices").join(address).join("driver")).unwrap();
        driver.file_name().unwrap().to_string_lossy().into_owned()
    }

    /// Does what the kernel would when a card is to be given a driver, until it is dropped.
    fn kernel(&self) -> Kernel {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, root) = (Arc::clone(&stop), self.0.path().to_owned());
        let life = std::thread::spawn(move || {
            let machine = ManuallyRooted(root);
            while !stopped.load(Ordering::Relaxed) {
                machine.give_cards_their_drivers();
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Kernel { stop, life: Some(life) }
    }

    fn answer(&self, question: &str, answer: &str) {
        self.file(&format!("answers/{}", question.replace(' ', "_")), &format!("{answer}\n"));
    }

    fn commands(&self) -> String {
        fs::read_to_string(self.path("commands")).unwrap()
    }

    fn nic(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    fn nic_in_session(&self, words: &[&str], connection: &str) -> Output {
        self.command(words).env("SSH_CONNECTION", connection).output().unwrap()
    }

    fn command(&self, words: &[&str]) -> Command {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/nic"));
        command.args(words).env("PATH", path).env("FAKE", self.0.path());
        command.env("FERRY_SYS", self.path("sys")).env("FERRY_PROC", self.path("proc"));
        command.env_remove("SSH_CONNECTION").env_remove("SSH_CLIENT");
        command
    }

    fn program(&self, name: &str, script: &str) {
        let file = format!("bin/{name}");
        self.file(&file, &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(self.path(&file), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn file(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// A running [`Machine::kernel`].
struct Kernel {
    stop: Arc<AtomicBool>,
    life: Option<JoinHandle<()>>,
}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ended = self.life.take().map(JoinHandle::join);
    }
}

/// The same files, by somebody else.
struct ManuallyRooted(PathBuf);

impl ManuallyRooted {
    fn give_cards_their_drivers(&self) {
        let bus = self.0.join("sys/bus/pci");
        let probe = bus.join("drivers_probe");
        let asked = fs::read_to_string(&probe).unwrap_or_default();
        let Some(address) = asked.lines().next() else { return };
        let device = bus.join("devices").join(address);
        let wanted = fs::read_to_string(device.join("driver_override")).unwrap_or_default();
        let driver = if wanted.trim().is_empty() { "ice" } else { wanted.trim() };
        replace_link(&bus.join("drivers").join(driver), &device.join("driver"));
        fs::write(probe, "").unwrap();
    }
}

fn replace_link(to: &Path, link: &Path) {
    let beside = link.with_extension("new");
    let _none = fs::remove_file(&beside);
    symlink(to, &beside).unwrap();
    fs::rename(beside, link).unwrap();
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
