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

// The origin of a link event: the first snapshot, a notification of the kernel, or a later snapshot that found a change
// without a notification.
enum class Cause : std::uint8_t { initial, notified, resync };

// Returns "initial", "notified" or "resync".
[[nodiscard]] PORTSYNC_API const char* to_string(Cause cause) noexcept;

// Something that a LinkSource reports. Everything it points to is borrowed for the call. Ignore unknown kinds, because
// new kinds and new members are added at the end.
//
//   changed         `link` is new (`before` is nullptr) or differs from `before` in at least one member
//   removed         the link is gone from this namespace; `link` and `before` are its last known state
//   snapshot_begin  a full listing starts; changed and removed events continue meanwhile. It may come again without a
//                   snapshot_end between, when the listing had to be started over
//   snapshot_end    every link that exists has been reported, and every other one was removed. If links come and go
//                   faster than the kernel lists them, a link without a notification may be missing. Then
//                   LinkSourceStatistics::snapshot_pending is true, and another snapshot follows
//   drained         no message waits now: a good moment to act on the events since the last one
struct LinkEvent {
  // See above.
  enum class Kind : std::uint8_t { changed, removed, snapshot_begin, snapshot_end, drained };
  Kind kind = Kind::drained;          // decides which other members are set
  Cause cause = Cause::notified;      // origin of the event
  const LinkState* link = nullptr;    // changed and removed only
  const LinkState* before = nullptr;  // changed and removed only
  TimePoint received;                 // when the message was read
  // changed only: `link` points into the source's own table. That address holds the link's newest state until its
  // removal has been reported, so a consumer needs no copy of the link.
  bool lasting = false;
};

// Counters of a LinkSource since it was made, and its present state.
struct LinkSourceStatistics {
  std::uint64_t messages = 0;            // link notifications read
  std::uint64_t changes = 0;             // changed and removed events reported
  std::uint64_t ignored = 0;             // messages of other families (AF_BRIDGE) and types
  std::uint64_t foreign = 0;             // datagrams whose sender was not the kernel; dropped
  std::uint64_t malformed = 0;           // messages that could not be decoded; dropped, and treated as a loss
  std::uint64_t overruns = 0;            // losses: the receive buffer was full (ENOBUFS, or the drop counter rose)
  std::uint64_t truncated = 0;           // losses: a datagram was longer than the read buffer
  std::uint64_t interrupted = 0;         // snapshots that the kernel marked as inconsistent, or that failed
  std::uint64_t snapshots = 0;           // snapshots ended (snapshot_end)
  std::uint64_t resyncs = 0;             // snapshots begun after the first one, whatever the cause
  std::uint64_t probes = 0;              // probes sent
  std::uint64_t probe_failures = 0;      // probes without a reply in time; the socket is then opened anew
  std::size_t receive_buffer_bytes = 0;  // effective size of the receive buffer
  std::size_t backlog_bytes = 0;         // waiting in the receive buffer now
  std::size_t links = 0;                 // links known now
  // The links may be out of date (after a loss) or incomplete (at the start): a snapshot runs or is about to.
  bool snapshot_pending = false;
  std::optional<TimePoint> deaf_since;  // when the first of the unanswered probes was sent
  // A listing runs, and the kernel has sent nothing of it since then, because another process holds the rtnl lock.
  std::optional<TimePoint> listing_silent_since;
  std::uint64_t interrupted_in_a_row = 0;  // listings interrupted since the links were last known to be right
};

// Follows the links of one network namespace: first a snapshot, then every change. After a loss it takes a new snapshot
// by itself. Whatever was lost, the events lead to the kernel's present state.
class PORTSYNC_API LinkSource : public Pollable {
 public:
  // Only process() calls it.
  using Handler = std::function<void(const LinkEvent& event)>;

  // Begins to follow the links. Only process() calls the handler. Returns Errc::already_started the second time. Any
  // other error means that the source cannot work at all (no socket), and is final.
  [[nodiscard]] virtual std::error_code start(Handler handler) = 0;

  // Requests a new snapshot. Returns no error while one is wanted or runs already: one snapshot serves all requests.
  [[nodiscard]] virtual std::error_code resync() = 0;

  // Returns the counters, at any time. Asks the kernel about the receive buffer with a few system calls.
  [[nodiscard]] virtual LinkSourceStatistics statistics() const = 0;
};

}  // namespace portsync
