// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <portsync/link_source.hpp>

#include "core/resync_policy.hpp"

namespace portsync::core {

// When all links are listed, and what follows from how a listing went. Pure.
//
//            loss, request             its time has come              complete
//   idle ─────────────────> wanted ─────────────────────> listing ───────────────> idle
//                              ^                             │  │
//                              └──── again, soon or later ───┘  │ interrupted several times
//                              └──── again, a second later ── asking
//
// A listing is interrupted when links come or go meanwhile: what it has is true, and some may be missing. Where they
// come and go faster than they can be listed no listing is ever complete. So after a few the source asks about each
// known link that the last one lacks, and the snapshot ends with that: what is made from then on is notified, for the
// source joined before. A link may then still be missing that was never heard of and that every listing has left out,
// which kernels before 6.9 may do (they list by hash chains, and lose their place in one when a link goes). So the
// listings go on until one is complete, and until then something is in doubt.
class SnapshotPlan {
 public:
  enum class Stage : std::uint8_t { idle, wanted, listing, asking };
  // What is known of the links.
  enum class Known : std::uint8_t {
    nothing,   // no snapshot has ended yet
    doubtful,  // notifications were lost since
    settled,   // as far as can be told without a complete listing
    surely,
  };
  enum class Outcome : std::uint8_t { complete, interrupted, failed };
  enum class Step : std::uint8_t {
    again,  // give the snapshot up; another one is wanted
    ask,    // ask about the known links that were not listed
    end,    // the snapshot has ended
  };

  // As many listings were interrupted, or only two, and the first of them was begun this long ago: ask.
  static constexpr int most_interrupted = 3;
  static constexpr std::chrono::milliseconds most_patience{100};
  // From an end without a complete listing to the next listing.
  static constexpr std::chrono::milliseconds settled_pause{1000};

  // The first one is wanted, and the event socket to be opened anew for it.
  void on_start(TimePoint now);
  // Somebody wants to be sure. One snapshot serves all who ask while it is wanted or runs.
  void on_request(TimePoint now);
  // Notifications were lost, and go on being lost until the event socket has been replaced.
  void on_loss(TimePoint now);
  void on_socket_replaced() noexcept { lost_ = false; }

  // The listing is about to be begun.
  void on_begin(TimePoint now);
  // It could not be begun: no descriptor, no thread.
  void on_refused(TimePoint now);
  // A handler threw, and so missed something.
  void on_missed(TimePoint now);
  // It has ended, or the questions after it have.
  [[nodiscard]] Step on_listed(Outcome outcome, TimePoint now);
  [[nodiscard]] Step on_asked(Outcome outcome, TimePoint now);

  [[nodiscard]] Stage stage() const noexcept { return stage_; }
  [[nodiscard]] bool running() const noexcept { return stage_ == Stage::listing || stage_ == Stage::asking; }
  [[nodiscard]] bool lost() const noexcept { return lost_; }
  [[nodiscard]] Known known() const noexcept { return known_; }
  // Of the next snapshot.
  [[nodiscard]] Cause cause() const noexcept { return known_ == Known::nothing ? Cause::initial : Cause::resync; }
  // Listings in a row that were interrupted, since one was complete or nothing was left in doubt.
  [[nodiscard]] std::uint64_t interrupted_in_a_row() const noexcept { return interrupted_in_a_row_; }
  // When a wanted snapshot may begin.
  [[nodiscard]] std::optional<TimePoint> wanted_at() const noexcept;

 private:
  void want(TimePoint when) noexcept;
  Step again(TimePoint when) noexcept;

  ResyncPolicy policy_;
  Stage stage_ = Stage::idle;
  Known known_ = Known::nothing;
  bool lost_ = false;
  int attempts_ = 0;       // interrupted since a snapshot was last wanted for a reason of its own
  TimePoint first_begin_;  // of these
  TimePoint wanted_at_;    // wanted only
  TimePoint after_loss_;   // lost_ only: when the policy allows the next snapshot
  std::uint64_t interrupted_in_a_row_ = 0;
};

}  // namespace portsync::core
