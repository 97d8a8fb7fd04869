// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <portsync/link_source.hpp>

#include "core/resync_policy.hpp"

namespace portsync::core {

// Decides when all links are listed, and what follows from the outcome of a listing. Pure.
//
//            loss, request             its time has come              complete
//   idle ─────────────────> wanted ─────────────────────> listing ───────────────> idle
//                              ^                             │  │
//                              └──── again, soon or later ───┘  │ interrupted several times
//                              └──── again, a second later ── asking
//
// A listing is interrupted when links come or go meanwhile: its entries are true, but some links may be missing. If
// links come and go faster than the kernel lists them, no listing is ever complete. So, after a few, the source asks
// about each known link that the last listing lacks, and then the snapshot ends. Links created from then on are
// notified, because the source joined the group before. A link may then still be missing if it was never notified and
// every listing left it out. Kernels before 6.9 may do that: they list by hash chains, and lose their place in one when
// a link goes. So the listings continue until one is complete, and until then the links are in doubt.
class SnapshotPlan {
 public:
  enum class Stage : std::uint8_t { idle, wanted, listing, asking };
  // How well the links are known.
  enum class Known : std::uint8_t {
    nothing,   // no snapshot has ended yet
    doubtful,  // notifications were lost since
    settled,   // as well as possible without a complete listing
    surely,
  };
  enum class Outcome : std::uint8_t { complete, interrupted, failed };
  enum class Step : std::uint8_t {
    again,  // abandon the snapshot; another one is wanted
    ask,    // ask about the known links that were not listed
    end,    // the snapshot has ended
  };

  // Ask after this many interrupted listings, or after two if the first of them was begun most_patience ago.
  static constexpr int most_interrupted = 3;
  static constexpr std::chrono::milliseconds most_patience{100};
  // The pause from an end without a complete listing to the next listing.
  static constexpr std::chrono::milliseconds settled_pause{1000};

  // Wants the first snapshot, for which the event socket must be opened anew.
  void on_start(TimePoint now);
  // Handles a request for a snapshot. One snapshot serves all requests made while it is wanted or runs.
  void on_request(TimePoint now);
  // Notifications were lost, and continue to be lost until the event socket has been replaced.
  void on_loss(TimePoint now);
  void on_socket_replaced() noexcept { lost_ = false; }

  // The listing is about to begin.
  void on_begin(TimePoint now);
  // The listing could not begin: no descriptor, no thread.
  void on_refused(TimePoint now);
  // A handler threw, so it missed an event.
  void on_missed(TimePoint now);
  // The listing has ended, or the questions after it. Returns the next step.
  [[nodiscard]] Step on_listed(Outcome outcome, TimePoint now);
  [[nodiscard]] Step on_asked(Outcome outcome, TimePoint now);

  [[nodiscard]] Stage stage() const noexcept { return stage_; }
  [[nodiscard]] bool running() const noexcept { return stage_ == Stage::listing || stage_ == Stage::asking; }
  [[nodiscard]] bool lost() const noexcept { return lost_; }
  [[nodiscard]] Known known() const noexcept { return known_; }
  // Returns the cause of the next snapshot.
  [[nodiscard]] Cause cause() const noexcept { return known_ == Known::nothing ? Cause::initial : Cause::resync; }
  // Returns the number of consecutive interrupted listings, since one was complete or nothing was left in doubt.
  [[nodiscard]] std::uint64_t interrupted_in_a_row() const noexcept { return interrupted_in_a_row_; }
  // Returns when a wanted snapshot may begin.
  [[nodiscard]] std::optional<TimePoint> wanted_at() const noexcept;

 private:
  void want(TimePoint when) noexcept;
  Step again(TimePoint when) noexcept;

  ResyncPolicy policy_;
  Stage stage_ = Stage::idle;
  Known known_ = Known::nothing;
  bool lost_ = false;
  int attempts_ = 0;       // listings interrupted since a snapshot was last wanted for a reason of its own
  TimePoint first_begin_;  // of the first of these listings
  TimePoint wanted_at_;    // valid in Stage::wanted only
  TimePoint after_loss_;   // valid while lost_ only: when the policy allows the next snapshot
  std::uint64_t interrupted_in_a_row_ = 0;
};

}  // namespace portsync::core
