//! The kernel's interfaces of ports, which may refuse what a file says of them.

use std::collections::BTreeSet;
use std::sync::Mutex;

use control::Kernel;
use control_api::Family;

use super::*;

/// The left port's interface, as the kernel has it: without IPv6 while it is too small, and with one address it never takes.
#[derive(Debug, Clone)]
struct Interface(Arc<Mutex<(u16, BTreeSet<String>)>>);

impl Interface {
    fn with_mtu(mtu: u16) -> Self {
        Self(Arc::new(Mutex::new((mtu, BTreeSet::from(["192.0.2.1/24".to_owned()])))))
    }

    fn mtu_and_addresses(&self) -> (u16, Vec<String>) {
        let (mtu, addresses) = &*self.0.lock().unwrap();
        (*mtu, addresses.iter().cloned().collect())
    }
}

impl Kernel for Interface {
    fn give(&mut self, _port: PortId, _frame: &[u8]) -> bool {
        true
    }

    fn take(&mut self, _frame: &mut Vec<u8>) -> Option<PortId> {
        None
    }

    fn interface(&self, port: PortId) -> Option<(&str, Option<&str>)> {
        (port == LEFT).then_some(("left", None))
    }

    fn set_address(&mut self, _port: PortId, own: InterfaceAddress, is_there: bool) -> Result<(), String> {
        let (mtu, addresses) = &mut *self.0.lock().unwrap();
        if is_there && (own.family() == Family::Ipv6 && *mtu < 1280 || own.address() == ip("203.0.113.66")) {
            return Err("Invalid argument".to_owned());
        }
        let is_news = if is_there { addresses.insert(own.to_string()) } else { addresses.remove(&own.to_string()) };
        assert!(is_news, "{own}");
        Ok(())
    }

    fn set_mtu(&mut self, _port: PortId, mtu: Mtu) -> Result<(), String> {
        let (there, addresses) = &mut *self.0.lock().unwrap();
        assert!(mtu.bytes() >= 1280 || addresses.iter().all(|own| !own.contains(':')), "the kernel would drop them");
        *there = mtu.bytes();
        Ok(())
    }
}

fn tapped(mtu: u16, addresses: &str) -> Config {
    read(&format!(
        "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\ntap = true\naddresses = [{addresses}]\nmtu = {mtu}\n"
    ))
}

/// A router of one port, its interface, and the MTU of its device.
fn scene(config: &Config) -> (Scene, Interface, Arc<AtomicU16>) {
    let mtus: [Arc<AtomicU16>; 2] = Default::default();
    let interface = Interface::with_mtu(config.ports()[0].mtu.bytes());
    let setup = Setup::new(config, config.port_states([MacAddr([2, 0, 0, 0, 0, 1])]));
    let setup = Setup { kernel: Some(Box::new(interface.clone())), ..setup };
    (Scene::over(setup, Devices { mtus: mtus.clone(), is_stubborn: false }), interface, Arc::clone(&mtus[0]))
}

const NO_IPV6: &str = "\"192.0.2.1/24\"";
const BOTH: &str = "\"192.0.2.1/24\", \"2001:db8::1/64\"";

#[test]
fn an_ipv6_address_and_the_mtu_that_it_needs_come_and_go_together() {
    let (mut scene, interface, _device) = scene(&tapped(1200, NO_IPV6));
    scene.reload(&tapped(1500, BOTH)).unwrap();
    let both = ["192.0.2.1/24", "2001:db8::1/64"].map(str::to_owned);
    assert_eq!(interface.mtu_and_addresses(), (1500, both.to_vec()));
    scene.reload(&tapped(1200, NO_IPV6)).unwrap();
    assert_eq!(interface.mtu_and_addresses(), (1200, both[..1].to_vec()));
}

#[test]
fn an_interface_that_refuses_an_address_keeps_its_mtu_and_the_device_the_one_that_somebody_has_set() {
    let (mut scene, interface, device) = scene(&tapped(1200, NO_IPV6));
    assert_eq!(scene.ask(Request::PortSet { name: "left".to_owned(), mtu: 1100 }), Ok(Reply::Done));
    let before = (scene.state_told(), interface.mtu_and_addresses());
    let refused = scene.reload(&tapped(1500, &format!("{BOTH}, \"203.0.113.66/24\""))).unwrap_err();
    assert!(refused.message.contains("refuses 203.0.113.66/24: Invalid argument"), "{refused}");
    assert_eq!((scene.state_told(), interface.mtu_and_addresses()), before);
    assert_eq!(device.load(Ordering::Relaxed), 1100);
    assert_eq!(scene.state.pin().port(LEFT).mtu.bytes(), 1100);
}
