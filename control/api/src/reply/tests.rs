//! What answers look like in JSON.

use packet::ethernet::MacAddr;

use super::*;

#[test]
fn a_route_has_the_fields_that_ip_gives_it() {
    let route = Route {
        dst: "10.0.0.0/8".parse().unwrap(),
        kind: RouteKind::Unicast,
        gateway: Some("192.0.2.2".parse().unwrap()),
        dev: Some("left".to_owned()),
        protocol: Protocol::Static,
        next_hop: Some(NextHopState::Unresolved),
        detail: None,
    };
    let json = r#"{"dst":"10.0.0.0/8","type":"unicast","gateway":"192.0.2.2","dev":"left","protocol":"static","next_hop":"unresolved"}"#;
    assert_eq!(serde_json::to_string(&route).unwrap(), json);
    assert_eq!(serde_json::from_str::<Route>(json).unwrap(), route);
}

#[test]
fn a_neighbour_has_the_fields_that_ip_gives_it() {
    let neighbour = Neighbour {
        dst: "2001:db8::2".parse().unwrap(),
        dev: "left".to_owned(),
        lladdr: Some(MacAddr([2, 0, 0, 0, 0, 9])),
        state: NeighbourState::Reachable,
        age_seconds: Some(3),
        router: false,
    };
    let json =
        r#"{"dst":"2001:db8::2","dev":"left","lladdr":"02:00:00:00:00:09","state":["REACHABLE"],"age_seconds":3}"#;
    assert_eq!(serde_json::to_string(&neighbour).unwrap(), json);
    assert_eq!(serde_json::from_str::<Neighbour>(json).unwrap(), neighbour);

    let asked = r#"{"dst":"192.0.2.2","dev":"left","state":["INCOMPLETE"]}"#;
    assert_eq!(serde_json::from_str::<Neighbour>(asked).unwrap().lladdr, None);
}

#[test]
fn a_word_is_the_same_in_json_and_in_a_table() {
    for state in [NeighbourState::Incomplete, NeighbourState::Permanent, NeighbourState::Failed] {
        assert_eq!(serde_json::to_value(state).unwrap(), state.name());
    }
    for kind in
        [RouteKind::Unicast, RouteKind::Local, RouteKind::Blackhole, RouteKind::Unreachable, RouteKind::Prohibit]
    {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
    }
    for protocol in [Protocol::Static, Protocol::Connected, Protocol::Local, Protocol::Cloned] {
        assert_eq!(serde_json::to_value(protocol).unwrap(), protocol.name());
    }
}
