//! What the pages say one must not do, and the compiler says too.
//!
//! Each proof stands below the same code without the last line, which compiles: so it is that line that does not.

/// A cache, a reference and a lock, as somebody outside may have them.
///
/// ```
/// fn holder(routes: &mut control::Routes, dst: std::net::IpAddr) {
///     let Some(locked) = routes.rtalloc1(dst, true, control_api::RouteFlags::empty()) else { return };
///     let reference = locked.add_ref();
///     locked.rem_ref(reference);
/// }
/// ```
///
/// ```compile_fail,E0382
/// // holds S2.23, X17
/// fn holder(routes: &mut control::Routes, dst: std::net::IpAddr) {
///     let Some(locked) = routes.rtalloc1(dst, true, control_api::RouteFlags::empty()) else { return };
///     let reference = locked.add_ref();
///     locked.rem_ref(reference);
///     locked.rem_ref(reference);
/// }
/// ```
pub fn rc_08_a_reference_cannot_be_taken_away_twice() {}

/// ```
/// fn holder(reference: control::RouteRef) {
///     let locked = reference.lock();
///     locked.free();
/// }
/// ```
///
/// ```compile_fail,E0382
/// // holds S2.17
/// fn holder(reference: control::RouteRef) {
///     let locked = reference.lock();
///     locked.free();
///     locked.key();
/// }
/// ```
pub fn a_route_that_was_freed_cannot_be_used() {}

/// ```
/// fn holder(locked: control::LockedRoute) {
///     let _key = locked.key();
/// }
/// ```
///
/// ```compile_fail,E0624
/// // holds S2.25
/// fn holder(locked: control::LockedRoute) {
///     let _key = locked.key();
///     locked.uncount_reference();
/// }
/// ```
///
/// ```compile_fail,E0425
/// // holds S2.25
/// fn holder(locked: control::LockedRoute) {
///     control::rtfree(locked);
/// }
/// ```
pub fn rc_09_nobody_outside_frees_a_route() {}

/// ```
/// fn holder(mut locked: control::LockedRoute) {
///     locked.edit_metrics(|metrics| metrics.mtu = 1400);
/// }
/// ```
///
/// ```compile_fail,E0624
/// // holds S2.20
/// fn holder(mut unlocked: control::RouteRef) {
///     unlocked.edit_metrics(|metrics| metrics.mtu = 1400);
/// }
/// ```
pub fn a_route_that_is_not_locked_cannot_be_edited() {}
