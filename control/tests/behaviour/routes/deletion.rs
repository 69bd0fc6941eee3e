//! CN-06: routes that are deleted by the thousand.

use control_api::EntryCounts;

use super::*;

// holds S2.19, X18
#[test]
fn cn_06_ten_thousand_deletions_are_one_publish_and_leave_nothing() {
    let mut scene = scene();
    let before = scene.shown(0);
    for number in 0..10_000_u32 {
        let prefix = format!("{}/32", std::net::Ipv4Addr::from(0x0a00_0000 + number));
        scene.tell(add(&prefix, 1)).unwrap();
    }
    let generation = scene.generation();
    assert_eq!(scene.ask(Request::RouteFlush { filter: RouteFilter::default() }), Ok(Reply::Flushed(10_000)));
    assert_eq!((scene.generation(), scene.shown(0)), (generation + 1, before));
    scene.pass(SECOND);
    let Ok(Reply::Stats(stats)) = scene.ask(Request::Stats) else { panic!("always") };
    let EntryCounts { trash, references, .. } = stats.entries.unwrap();
    assert_eq!((trash, references), (0, 0));
}
