//! What is read of a stream, whole, in pieces and broken.

use proptest::prelude::*;

use super::{Leads, NextHopSaid, RouteSaid, Said, Unreadable, read};

const STREAMS: [&[u8]; 2] =
    [include_bytes!("../../tests/fpm/static_nhg_on_1.fpm"), include_bytes!("../../tests/fpm/static_nhg_off.fpm")];

fn all_of(stream: &[u8]) -> Vec<Said> {
    let mut said = Vec::new();
    assert_eq!(read(stream, &mut said, usize::MAX), Ok(stream.len()));
    said
}

#[test]
fn what_zebra_sent_is_read_to_its_end() {
    for stream in STREAMS {
        let said = all_of(stream);
        let routes = said.iter().filter(|said| matches!(said, Said::Route(_))).count();
        assert!(routes > 25 && !said.contains(&Said::Nothing), "{routes} of {}", said.len());
    }
}

#[test]
fn a_change_in_one_frame_is_one_route_in_the_place_of_another() {
    let said = all_of(&STREAMS[0][2148..2248]);
    let [Said::Route(RouteSaid { to, leads, .. })] = &said[..] else { panic!("{said:?}") };
    assert_eq!((to.to_string().as_str(), leads), ("198.51.100.0/24", &Leads::NextHop(50)));
    let group = all_of(&STREAMS[0][2092..2148]);
    assert_eq!(group, [Said::NextHop { id: 50, what: NextHopSaid::Group(vec![(17, 1), (24, 1)]) }]);
}

#[test]
fn a_stream_in_two_pieces_says_what_it_says_in_one() {
    for stream in STREAMS {
        let whole = all_of(stream);
        for cut in 0..stream.len() {
            let mut said = Vec::new();
            let taken = read(&stream[..cut], &mut said, usize::MAX).unwrap();
            assert!(taken <= cut);
            assert_eq!(read(&stream[taken..], &mut said, usize::MAX), Ok(stream.len() - taken));
            assert_eq!(said, whole, "cut at {cut}");
        }
    }
}

#[test]
fn what_one_frame_says_stays_together_however_little_is_wanted() {
    let (mut said, mut taken) = (Vec::new(), 0);
    while taken < STREAMS[1].len() {
        let mut next = Vec::new();
        taken += read(&STREAMS[1][taken..], &mut next, 1).unwrap();
        assert!(!next.is_empty() && next.len() < 4, "{next:?}");
        said.append(&mut next);
    }
    assert_eq!(said, all_of(STREAMS[1]));
}

#[test]
fn a_session_that_is_no_zebra_s_is_told_why_it_ends() {
    #[rustfmt::skip]
    let sessions: [(&[u8], &str); 7] = [
        (b"GET / HTTP/1.1\r\n", "it speaks version 71 of the FPM's protocol, ferry speaks version 1"),
        (&[1, 2, 0, 20],        "it sends protobuf, ferry reads netlink: start zebra with `-M dplane_fpm_nl`"),
        (&[1, 3, 0, 20],        "it sends messages of kind 3, ferry reads kind 1, netlink"),
        (&[1, 1, 0, 3],         "it sent a frame of 3 bytes, and the header alone has 4"),
        (&[1, 1, 0, 5, 0],      "it sent a netlink message that cannot be read"),
        (&[1, 1, 0, 20, 16, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "it sent a route that cannot be read"),
        (&[1, 1, 0, 20, 16, 0, 0, 0, 104, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "it sent a next hop that cannot be read"),
    ];
    for (bytes, reason) in sessions {
        let found = read(bytes, &mut Vec::new(), usize::MAX).unwrap_err();
        assert_eq!(found.to_string(), reason);
    }
}

#[test]
fn a_route_to_more_bits_than_an_address_has_is_unreadable_and_says_nothing() {
    // The first route of the stream without next-hop groups, and its length.
    let mut stream = STREAMS[1].to_vec();
    stream[4 + 16 + 1] = 33;
    let mut said = Vec::new();
    assert_eq!(read(&stream, &mut said, usize::MAX), Err(Unreadable::Message("a route")));
    assert_eq!(said, []);
}

proptest! {
    /// Whatever is damaged, reading ends, and what was said before the damage is what was sent.
    #[test]
    fn a_damaged_stream_says_what_was_whole_and_no_more_of_a_frame_than_all(
        which in 0..STREAMS.len(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut stream = STREAMS[which].to_vec();
        let mut first = stream.len();
        for (at, byte) in damage {
            let at = at.index(stream.len());
            stream[at] ^= byte;
            first = first.min(at);
        }
        stream.truncate(stream.len() - cut.index(stream.len() / 4));
        let mut said = Vec::new();
        let outcome = read(&stream, &mut said, usize::MAX);
        let mut undamaged = Vec::new();
        read(&STREAMS[which][..first.min(stream.len())], &mut undamaged, usize::MAX).unwrap();
        prop_assert_eq!(&said[..undamaged.len()], &undamaged[..]);
        if let Ok(taken) = outcome {
            prop_assert!(taken <= stream.len());
        }
    }

    #[test]
    fn no_bytes_are_too_strange_to_be_read_or_refused(
        kind in prop_oneof![Just(24_u16), Just(25), Just(104), Just(105), any::<u16>()],
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let length = u16::try_from(16 + body.len()).unwrap();
        let mut frame = vec![1, 1];
        frame.extend((length + 4).to_be_bytes());
        frame.extend(u32::from(length).to_ne_bytes());
        frame.extend(kind.to_ne_bytes());
        frame.extend([0; 10]);
        frame.extend(body);
        let mut said = Vec::new();
        let outcome = read(&frame, &mut said, usize::MAX);
        prop_assert!(outcome.is_err() == said.is_empty(), "{:?} {:?}", outcome, said);
    }
}
