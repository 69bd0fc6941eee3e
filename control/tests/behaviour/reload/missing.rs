//! What both files say and somebody has put something else in the place of: it stays, and no reload is refused for it.

use super::*;

/// A route of the file on the far side of the right port, a neighbour there, and a third network on the left one.
fn lived_in(rest: &str) -> Config {
    read(&format!(
        "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\naddresses = [\"192.0.2.1/24\", \"10.0.0.1/24\"]\n\
         [[port]]\nname = \"right\"\ndevice = \"net_null1\"\naddresses = [\"198.51.100.1/24\"]\n{}{}{rest}",
        route("10.9.0.0/16", "198.51.100.2"),
        neighbour("198.51.100.9", "02:00:00:00:02:09"),
    ))
}

fn take_address(address: &str, dev: &str) -> Request {
    Request::AddressDel { address: ip(address), len: None, dev: dev.to_owned() }
}

fn give_address(address: &str, dev: &str) -> Request {
    Request::AddressAdd { address: address.parse().unwrap(), dev: dev.to_owned() }
}

impl Scene {
    fn does(&mut self, requests: impl IntoIterator<Item = Request>) {
        for request in requests {
            let said = format!("{request:?}");
            assert_eq!(self.ask(request), Ok(Reply::Done), "{said}");
        }
    }
}

/// After `requests` the file that ferryd runs by changes nothing, and one with a route more only that route.
fn is_somebody_s_own(requests: impl IntoIterator<Item = Request>) {
    let config = lived_in("");
    let mut scene = scene(&config);
    scene.does(requests);
    let before = scene.state_told();
    assert_eq!(scene.asks_for_config(&config, true).unwrap().changes, []);
    assert_eq!(scene.reload(&config).unwrap().changes, []);
    assert_eq!(scene.state_told(), before);
    let more = lived_in("[[route]]\nto = \"172.16.0.0/12\"\nblackhole = true\n");
    assert_eq!(scene.reload(&more).unwrap().changes, [change("route 172.16.0.0/12", None, Some("blackhole"))]);
}

#[test]
fn an_address_that_somebody_has_given_a_network_of_another_length_stays() {
    is_somebody_s_own([take_address("10.0.0.1", "left"), give_address("10.0.0.1/25", "left")]);
}

#[test]
fn an_address_that_somebody_has_given_to_another_port_stays_there() {
    is_somebody_s_own([take_address("10.0.0.1", "left"), give_address("10.0.0.1/24", "right")]);
}

#[test]
fn a_network_of_the_file_that_somebody_has_given_to_another_port_stays_there() {
    is_somebody_s_own([take_address("10.0.0.1", "left"), give_address("10.0.0.77/16", "right")]);
}

#[test]
fn a_route_in_the_place_of_a_network_of_the_file_stays() {
    let to = "10.0.0.0/24".parse().unwrap();
    let via = Target::Via { gateway: ip("198.51.100.2"), dev: None };
    is_somebody_s_own([take_address("10.0.0.1", "left"), Request::RouteAdd { to, target: via }]);
}

#[test]
fn an_address_in_the_place_of_a_route_of_the_file_stays() {
    let to = "10.9.0.0/16".parse().unwrap();
    is_somebody_s_own([Request::RouteDel { to }, give_address("10.9.0.1/16", "right")]);
}

#[test]
fn an_address_in_the_place_of_a_gateway_of_the_file_stays() {
    let to = "10.9.0.0/16".parse().unwrap();
    is_somebody_s_own([Request::RouteDel { to }, give_address("198.51.100.2/24", "right")]);
}

#[test]
fn an_address_in_the_place_of_a_neighbour_of_the_file_stays() {
    let gone = Request::NeighDel { address: ip("198.51.100.9"), dev: "right".to_owned() };
    is_somebody_s_own([gone, give_address("198.51.100.9/24", "right")]);
}

/// A left port of an IPv6 address and this MTU.
fn speaking_ipv6(mtu: u16, addresses: &str) -> Config {
    read(&format!(
        "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\naddresses = [{addresses}]\nmtu = {mtu}\n\
         [[port]]\nname = \"right\"\ndevice = \"net_null1\"\naddresses = [\"198.51.100.1/24\"]\n"
    ))
}

const BOTH: &str = "\"192.0.2.1/24\", \"2001:db8::1/64\"";

fn willing() -> Devices {
    Devices { mtus: Default::default(), is_stubborn: false }
}

#[test]
fn an_ipv6_address_does_not_come_back_on_a_port_that_somebody_has_made_too_small_for_it() {
    let config = speaking_ipv6(1500, BOTH);
    let mut scene = over(&config, willing());
    scene.does([take_address("2001:db8::1", "left"), Request::PortSet { name: "left".to_owned(), mtu: 1000 }]);
    assert_eq!(scene.asks_for_config(&config, true).unwrap().changes, []);
    assert_eq!(scene.reload(&config).unwrap().changes, []);
    scene.does([Request::PortSet { name: "left".to_owned(), mtu: 1280 }]);
    let back = [change("address on left", None, Some("2001:db8::1/64"))];
    assert_eq!(scene.reload(&config).unwrap().changes, back, "and does where there is room again");
}

#[test]
fn a_new_ipv6_address_on_a_port_that_somebody_has_made_too_small_is_refused_unless_the_file_gives_it_more() {
    let mut scene = over(&speaking_ipv6(1500, "\"192.0.2.1/24\""), willing());
    scene.does([Request::PortSet { name: "left".to_owned(), mtu: 1000 }]);
    let before = scene.state_told();
    let refused = scene.reload(&speaking_ipv6(1500, BOTH)).unwrap_err();
    assert_eq!(refused.message, "an MTU of 1000 is too small for IPv6, which needs 1280");
    assert_eq!(refused.hint.as_deref(), Some("give it more first: `port set left mtu 1280`"));
    assert_eq!(scene.state_told(), before);
    scene.reload(&speaking_ipv6(1400, BOTH)).unwrap();
    assert_eq!(scene.state.pin().port(LEFT).mtu.bytes(), 1400);
    assert!(scene.has_route("2001:db8::/64"));
}
