// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <portsync/export.hpp>
#include <portsync/link_state.hpp>
#include <portsync/pollable.hpp>
#include <system_error>

namespace portsync {

// Why a link event came: from the first snapshot, from a notification of the kernel, or from a later snapshot that
// found what notifications had not told.
enum class Cause : std::uint8_t { initial, notified, resync };

// "initial", "notified" or "resync".
[[nodiscard]] PORTSYNC_API const char* to_string(Cause cause) noexcept;

// Something a LinkSource says. Everything it points to is borrowed for the call. Ignore kinds that you do not know; new
// kinds and new members are added at the end.
//
//   changed         `link` is new (`before` is nullptr) or differs from `before` in at least one member
//   removed         the link is gone from this namespace; `link` and `before` are what was last known of it
//   snapshot_begin  a full listing starts; changed and removed events go on meanwhile. May come again without an end
//                   between, when the listing had to be started over
//   snapshot_end    every link that exists has been told, every link that does not was removed. Where links come and go
//                   faster than they can be listed, a link that was never notified may be missing: then
//                   LinkSourceStatistics::snapshot_pending says so, and another snapshot follows
//   drained         nothing more waits now: a good moment to act on what has come since the last one
struct LinkEvent {
  // See above.
  enum class Kind : std::uint8_t { changed, removed, snapshot_begin, snapshot_end, drained };
  Kind kind = Kind::drained;          // decides which of the others are set
  Cause cause = Cause::notified;      // why it is told
  const LinkState* link = nullptr;    // changed and removed only
  const LinkState* before = nullptr;  // changed and removed only
  TimePoint received;                 // when the message was read
  // changed only: `link` is the source's own table, which tells the link's newest state at this address until its
  // removal has been told. Who wants to know the link later needs no copy of it.
  bool lasting = false;
};

// What a LinkSource has counted since it was made, and how it is now.
struct LinkSourceStatistics {
  std::uint64_t messages = 0;            // link notifications read
  std::uint64_t changes = 0;             // changed and removed events told
  std::uint64_t ignored = 0;             // other families (AF_BRIDGE) and types
  std::uint64_t foreign = 0;             // datagrams whose sender was not the kernel; dropped
  std::uint64_t malformed = 0;           // messages that could not be decoded; dropped, and taken for a loss
  std::uint64_t overruns = 0;            // losses: the receive buffer was full (ENOBUFS, or the drop counter rose)
  std::uint64_t truncated = 0;           // losses: a datagram was longer than the read buffer
  std::uint64_t interrupted = 0;         // snapshots that the kernel marked as inconsistent, or that failed
  std::uint64_t snapshots = 0;           // snapshots ended (snapshot_end)
  std::uint64_t resyncs = 0;             // snapshots begun after the first one, whatever the cause
  std::uint64_t probes = 0;              // probes sent
  std::uint64_t probe_failures = 0;      // probes not answered in time; the socket is then opened anew
  std::size_t receive_buffer_bytes = 0;  // effective size of the receive buffer
  std::size_t backlog_bytes = 0;         // waiting in the receive buffer now
  std::size_t links = 0;                 // links known now
  bool snapshot_pending =
      false;  // what is known may be wrong (a loss, or not complete yet): a snapshot runs or is about to
  std::optional<TimePoint> deaf_since;  // when the first of the unanswered probes was sent
  // A listing runs, and the kernel has said nothing of it since then: somebody holds its lock of links (rtnl).
  std::optional<TimePoint> listing_silent_since;
  std::uint64_t interrupted_in_a_row = 0;  // listings interrupted, since nothing was in doubt
};

// Follows the links of one network namespace: a snapshot first, then every change; after a loss, a new snapshot
// unasked. Whatever was lost, the events told lead to the kernel's present state.
class PORTSYNC_API LinkSource : public Pollable {
 public:
  // Called from process() only.
  using Handler = std::function<void(const LinkEvent& event)>;

  // Begins to follow. The handler is called from process() only. Errc::already_started the second time; else an error
  // means that the source cannot work at all (no socket), and is final.
  [[nodiscard]] virtual std::error_code start(Handler handler) = 0;

  // Asks for a new snapshot. Never an error while one is wanted or runs already: one snapshot serves all who ask.
  [[nodiscard]] virtual std::error_code resync() = 0;

  // At any time. Asks the kernel about the receive buffer: a few system calls.
  [[nodiscard]] virtual LinkSourceStatistics statistics() const = 0;
};

}  // namespace portsync
