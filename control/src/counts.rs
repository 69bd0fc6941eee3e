//! What the control plane counts, each under one name.

/// What the control thread did that no worker counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ControlCounts {
    /// Answers to echo requests.
    pub echo_replies: u64,
    /// ICMP errors sent.
    pub icmp_errors: u64,
    /// ICMP errors and echo replies not sent because there were too many.
    pub icmp_limited: u64,
    /// TCP resets sent.
    pub resets: u64,
    /// Packets whose IPv4 options make no sense.
    pub bad_options: u64,
    /// Packets with a source route that was not followed.
    pub source_routes: u64,
    /// Fragments to us that overlap others of their datagram.
    pub fragments_overlapping: u64,
    /// Fragments to us that there was no room for.
    pub fragments_refused: u64,
    /// Fragments to us that no sender cuts like that.
    pub fragments_malformed: u64,
    /// Datagrams to us that did not become whole in time.
    pub fragments_timed_out: u64,
    /// ARP requests and neighbour solicitations sent.
    pub questions: u64,
    /// Packets to neighbours that there was no room for, or no question left to ask with.
    pub neighbour_refused: u64,
    /// Packets that had no room to wait for their neighbour, or made room for newer ones.
    pub neighbour_overflowed: u64,
    /// Packets whose neighbour never answered.
    pub neighbour_lost: u64,
    /// Messages in which somebody else claimed one of our addresses.
    pub address_conflicts: u64,
    /// Router advertisements sent.
    pub router_advertisements: u64,
    /// Advertisements of other routers that tell hosts otherwise than we do.
    pub router_inconsistencies: u64,
    /// Questions answered for hosts behind other ports.
    pub proxied: u64,
    /// Frames that the outbox had no room for.
    pub frames_lost: u64,
    /// Routes that a timer deleted, or their own time to expire.
    pub routes_expired: u64,
    /// Pinned routes that were to be deleted by either, those that follow from a port's address among them: they stay.
    pub expiries_refused: u64,
    /// Packets that would have made a route of their own, and were too many for that.
    pub resolves_refused: u64,
    /// Packets without a route that nobody was told of, because there were too many such destinations.
    pub misses_untold: u64,
}

impl ControlCounts {
    /// Each with its name.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let Self {
            echo_replies,
            icmp_errors,
            icmp_limited,
            resets,
            bad_options,
            source_routes,
            fragments_overlapping,
            fragments_refused,
            fragments_malformed,
            fragments_timed_out,
            questions,
            neighbour_refused,
            neighbour_overflowed,
            neighbour_lost,
            address_conflicts,
            frames_lost,
            routes_expired,
            expiries_refused,
            resolves_refused,
            misses_untold,
            router_advertisements,
            router_inconsistencies,
            proxied,
        } = *self;
        [
            ("echo_replies", echo_replies),
            ("icmp_errors", icmp_errors),
            ("icmp_limited", icmp_limited),
            ("resets", resets),
            ("bad_options", bad_options),
            ("source_routes", source_routes),
            ("fragments_overlapping", fragments_overlapping),
            ("fragments_refused", fragments_refused),
            ("fragments_malformed", fragments_malformed),
            ("fragments_timed_out", fragments_timed_out),
            ("questions", questions),
            ("neighbour_refused", neighbour_refused),
            ("neighbour_overflowed", neighbour_overflowed),
            ("neighbour_lost", neighbour_lost),
            ("address_conflicts", address_conflicts),
            ("frames_lost", frames_lost),
            ("routes_expired", routes_expired),
            ("expiries_refused", expiries_refused),
            ("resolves_refused", resolves_refused),
            ("misses_untold", misses_untold),
            ("router_advertisements", router_advertisements),
            ("router_inconsistencies", router_inconsistencies),
            ("proxied", proxied),
        ]
        .into_iter()
    }
}
